"""Kernels cut for an H200 fit the cards that there are: they are compiled for these, not run."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from dsocr.runtime.kernels.triton_language import INSTALLED

LIMITS = {75: 64 << 10, 80: 163 << 10, 86: 99 << 10, 90: 227 << 10}
"""Bytes of shared memory a program may have, by compute capability."""

slow = pytest.mark.slow
needs_triton = pytest.mark.skipif(not INSTALLED, reason="needs triton")


@needs_triton
@pytest.mark.parametrize(
    ("capability", "dtype"),
    [
        pytest.param(75, "float16", marks=slow),
        pytest.param(80, "bfloat16", marks=slow),
        pytest.param(80, "float32", marks=slow),
        pytest.param(86, "bfloat16"),
        pytest.param(86, "float32", marks=slow),
        pytest.param(90, "bfloat16", marks=slow),
        pytest.param(90, "float32", marks=slow),
    ],
)
def test_no_kernel_needs_more_than_a_card_has(capability: int, dtype: str) -> None:
    command = [sys.executable, "-m", f"{__package__}.compiled_for", str(capability), dtype]
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    out = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert out.returncode == 0, out.stderr
    needed = json.loads(out.stdout.splitlines()[-1])
    assert len(needed) >= 9
    assert {name: size for name, size in needed.items() if size > LIMITS[capability]} == {}
