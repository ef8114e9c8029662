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
def test_auto_takes_the_best_there_is(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, device: str
) -> None:
    pretend(monkeypatch, cuda=cuda, mps=mps)
    assert choose_device("auto") == torch.device(device)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("cuda", "No CUDA device"),
        ("mps", "no mps device"),
        ("toaster", "no device 'toaster'"),
        ("meta", "does not know 'meta'"),
    ],
)
def test_a_device_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, wish: str, words: str
) -> None:
    pretend(monkeypatch)
    with pytest.raises(DeviceError, match=words):
        choose_device(wish)


def test_a_card_beyond_the_last_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match="no cuda:2; this machine has 2"):
        choose_device("cuda:2")


@pytest.mark.parametrize(
    ("wish", "dtype"),
    [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)],
)
def test_the_cpu_computes_in_float32_or_bfloat16(wish: DtypeName, dtype: torch.dtype) -> None:
    assert choose_dtype(wish, CPU) is dtype


def test_the_cpu_refuses_float16() -> None:
    with pytest.raises(DeviceError, match="say float32 or bfloat16"):
        choose_dtype("float16", CPU)


@pytest.mark.parametrize(
    ("capability", "kernels"), [((8, 9), True), ((9, 0), True), ((7, 5), False)]
)
def test_fp8_is_kept_where_it_can_be(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], kernels: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    given = {"dtype": torch.bfloat16, "device": torch.device("cuda"), "kernels": kernels}
    assert choose_cache_dtype("fp8", **given) is FP8
    assert choose_cache_dtype("auto", **given) is torch.bfloat16


def test_older_cards_are_told_what_to_do_without_fp8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))
    with pytest.raises(DeviceError, match="CACHE_DTYPE=auto, or .*KERNELS=false"):
        choose_cache_dtype("fp8", dtype=torch.float16, device=torch.device("cuda"), kernels=True)
    with pytest.raises(DeviceError, match="Apple's devices"):
        choose_cache_dtype("fp8", dtype=torch.float16, device=torch.device("mps"), kernels=False)


def test_heads_too_small_for_fp8_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    given = {"dtype": torch.bfloat16, "device": torch.device("cuda"), "head_dim": 16}
    with pytest.raises(DeviceError, match="this model's have 16"):
        choose_cache_dtype("fp8", kernels=True, **given)
    assert choose_cache_dtype("fp8", kernels=False, **given) is FP8
