"""Kernels tuned on an H200 fit other cards: they are compiled for them, not run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from dsocr.runtime.kernels import triton_compat
from dsocr.runtime.kernels.triton_compat import INSTALLED, fit_block, supports_kernels

LIMITS = {75: 64 << 10, 80: 163 << 10, 86: 99 << 10, 89: 99 << 10, 90: 227 << 10}
"""Bytes of shared memory of a program, by compute capability."""

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
        pytest.param(89, "bfloat16", marks=slow),
        pytest.param(89, "float16", marks=slow),
        pytest.param(89, "float32", marks=slow),
        pytest.param(90, "bfloat16", marks=slow),
        pytest.param(90, "float32", marks=slow),
    ],
)
def test_no_kernel_needs_more_shared_memory_than_a_card_has(capability: int, dtype: str) -> None:
    command = [sys.executable, "-m", f"{__package__}.compiled_for", str(capability), dtype]
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    out = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert out.returncode == 0, out.stderr
    shared = json.loads(out.stdout.splitlines()[-1])
    assert len(shared) == 25
    assert {name: size for name, size in shared.items() if size > LIMITS[capability]} == {}


@needs_triton
@pytest.mark.parametrize(
    ("capability", "dtype", "usable"),
    [
        ((7, 5), torch.float16, True),
        ((7, 5), torch.float32, False),
        ((8, 6), torch.float32, True),
        ((9, 0), torch.float32, True),
    ],
)
def test_shared_memory_of_a_card_is_what_triton_reports(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], dtype: torch.dtype, usable: bool
) -> None:
    memory = LIMITS[10 * capability[0] + capability[1]]
    device = torch.device("cuda", 3)
    utils = SimpleNamespace(
        get_device_properties=lambda index: {"max_shared_mem": memory if index == 3 else 0}
    )
    driver = SimpleNamespace(active=SimpleNamespace(utils=utils))
    fake_triton = SimpleNamespace(runtime=SimpleNamespace(driver=driver))
    monkeypatch.setattr(triton_compat, "triton", fake_triton)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    triton_compat._shared_memory.cache_clear()
    try:
        assert supports_kernels(device, dtype) is usable
        assert triton_compat._shared_memory(device)[1] == (capability < (9, 0))
        assert fit_block(4 * memory, device, lambda size: size) == memory
    finally:
        triton_compat._shared_memory.cache_clear()
