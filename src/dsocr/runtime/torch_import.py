"""Imports torch for a process that only runs models: half of a start is this import."""

from __future__ import annotations

import sys
from types import ModuleType

_META = "torch._meta_registrations"


def import_torch() -> None:
    """Imports torch without its shapes for the `meta` device, which compilers need and running a
    model does not: they are written in Python and take a third of the import's time. A later
    `import torch._meta_registrations`, as torch's compilers do, loads them."""
    if "torch" in sys.modules:
        return
    sys.modules[_META] = ModuleType(_META)
    try:
        import torch  # noqa: F401
    finally:
        del sys.modules[_META]
