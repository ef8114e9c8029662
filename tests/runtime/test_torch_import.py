"""torch is imported without what running a model does not need, and has it when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("torch")

PROGRAM = """
import sys
from dsocr.runtime.torch_import import import_torch, start_loading_libraries
start_loading_libraries().join()
assert "torch" not in sys.modules
import_torch()
import torch, torch.nn.functional as F
assert "torch._refs" not in sys.modules and "torch._meta_registrations" not in sys.modules
assert torch.nn.Linear(2, 3)(torch.ones(1, 2)).shape == (1, 3)
import torch._meta_registrations as registrations
assert registrations.__file__ and torch._meta_registrations is registrations
shape = F.embedding(torch.ones(4, dtype=torch.long, device="meta"), torch.ones(9, 5, device="meta"))
assert shape.shape == (4, 5)
import_torch()
"""


def test_shapes_of_the_meta_device_are_loaded_when_they_are_asked_for() -> None:
    out = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
