from __future__ import annotations

import pytest
import torch

from dsocr.runtime.config import DtypeName
from dsocr.runtime.devices import FP8, DeviceError, choose_cache_dtype, choose_device, choose_dtype

CPU = torch.device("cpu")


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "device"), [(2, True, "cuda:0"), (0, True, "mps"), (0, False, "cpu")]
)
def test_auto_selects_the_best_available_device(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, device: str
) -> None:
    pretend(monkeypatch, cuda=cuda, mps=mps)
    assert choose_device("auto") == torch.device(device)


@pytest.mark.parametrize(
    ("requested", "message"),
    [
        ("cuda", "No CUDA device"),
        ("mps", "no mps device"),
        ("toaster", "no device 'toaster'"),
        ("meta", "device 'meta' is not supported"),
    ],
)
def test_a_device_that_is_not_available_is_named(
    monkeypatch: pytest.MonkeyPatch, requested: str, message: str
) -> None:
    pretend(monkeypatch)
    with pytest.raises(DeviceError, match=message):
        choose_device(requested)


def test_a_device_index_beyond_the_last_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match="no cuda:2; this machine has 2"):
        choose_device("cuda:2")


@pytest.mark.parametrize(
    ("requested", "dtype"),
    [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)],
)
def test_the_cpu_computes_in_float32_or_bfloat16(requested: DtypeName, dtype: torch.dtype) -> None:
    assert choose_dtype(requested, CPU) is dtype


def test_the_cpu_refuses_float16() -> None:
    with pytest.raises(DeviceError, match="use float32 or bfloat16"):
        choose_dtype("float16", CPU)


@pytest.mark.parametrize(
    ("capability", "kernels"), [((8, 9), True), ((9, 0), True), ((7, 5), False)]
)
def test_fp8_is_used_where_it_is_available(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], kernels: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    given = {"dtype": torch.bfloat16, "device": torch.device("cuda"), "head_dim": 128}
    assert choose_cache_dtype("fp8", kernels=kernels, **given) is FP8
    assert choose_cache_dtype("auto", kernels=kernels, **given) is torch.bfloat16


def test_the_error_on_older_gpus_says_what_to_use_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))
    given = {"dtype": torch.float16, "head_dim": 128}
    with pytest.raises(DeviceError, match="CACHE_DTYPE=auto, or .*KERNELS=false"):
        choose_cache_dtype("fp8", device=torch.device("cuda"), kernels=True, **given)
    with pytest.raises(DeviceError, match="Apple's devices"):
        choose_cache_dtype("fp8", device=torch.device("mps"), kernels=False, **given)


def test_heads_too_small_for_fp8_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    given = {"dtype": torch.bfloat16, "device": torch.device("cuda"), "head_dim": 16}
    with pytest.raises(DeviceError, match="this model's is 16"):
        choose_cache_dtype("fp8", kernels=True, **given)
    assert choose_cache_dtype("fp8", kernels=False, **given) is FP8
