"""Imports torch for a process that only runs models: half of a start is this import."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import sys
import threading
from pathlib import Path
from types import ModuleType

_META = "torch._meta_registrations"
_GLOBAL, _LOCAL = "libtorch_global_deps.so", "libtorch.so"
"""What torch loads first, and what holds its operators; neither knows Python."""


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


def start_loading_libraries() -> threading.Thread:
    """Loads torch's libraries in a thread, without the interpreter's lock, which an import holds
    while it does so: Python code that loads no libraries runs meanwhile. What cannot be loaded is
    left to the import."""
    thread = threading.Thread(target=_load_libraries)  # ended before the process: it runs C++
    thread.start()
    return thread


def _load_libraries() -> None:
    spec = importlib.util.find_spec("torch")
    if sys.platform != "linux" or spec is None or spec.origin is None:
        return
    folder = Path(spec.origin).parent / "lib"
    with contextlib.suppress(OSError, AttributeError):
        # by a call of the C function: `ctypes.CDLL` keeps the lock while it loads
        load = ctypes.CDLL(None).dlopen
        load.restype = ctypes.c_void_p
        for name, scope in ((_GLOBAL, os.RTLD_GLOBAL), (_LOCAL, os.RTLD_LOCAL)):
            if (folder / name).is_file():
                load(os.fsencode(folder / name), os.RTLD_LAZY | scope)
