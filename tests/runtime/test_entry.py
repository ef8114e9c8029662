from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dsocr.runtime import entry
from dsocr.runtime.compilation import child
from dsocr.runtime.compilation.plan import CompilationPlan
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.kernels import card
from dsocr.runtime.kernels.card import Card


class Driver:
    """Two cards; notes what it is asked for."""

    def __init__(self, broken: bool) -> None:
        self.retained: list[int] = []
        self._broken = broken

    def cuInit(self, flags: int) -> int:
        return 999 if self._broken else 0

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:
        device._obj.value = 70 + ordinal
        return 0 if ordinal < 2 else 101

    def cuDevicePrimaryCtxRetain(self, context: Any, device: ctypes.c_int) -> int:
        self.retained.append(device.value)
        return 0

    def cuDeviceGetAttribute(self, number: Any, attribute: int, device: ctypes.c_int) -> int:
        number._obj.value = {75: 9, 76: 0, 97: 227 << 10}[attribute]
        return 0


class Compilation:
    """Notes for what kernels are compiled."""

    plans: ClassVar[list[CompilationPlan]] = []

    def __init__(self, plan: CompilationPlan) -> None:
        self.plans.append(plan)


@pytest.fixture(autouse=True)
def plans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[CompilationPlan]]:
    Compilation.plans.clear()
    card.load_driver.cache_clear()
    monkeypatch.setattr(child, "KernelCompilation", Compilation)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    yield Compilation.plans
    card.load_driver.cache_clear()


@pytest.mark.parametrize(
    ("device", "broken", "retained"),
    [
        ("auto", False, [70]),
        ("cuda", False, [70]),
        ("cuda:1", False, [71]),
        ("cuda:2", False, []),
        ("cuda", True, []),
        ("cpu", False, []),
        ("mps", False, []),
        ("cuda:one", False, []),
    ],
)
def test_only_the_requested_gpu_is_opened(
    monkeypatch: pytest.MonkeyPatch, device: str, broken: bool, retained: list[int]
) -> None:
    driver = Driver(broken)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    monkeypatch.setattr(entry, "version", lambda name: "2.13.0+cu130")
    entry.prepare_gpu(RuntimeConfig(device=device, kernels=False))
    assert driver.retained == retained


@pytest.mark.parametrize("build", ["cpu", "rocm6.4"])
def test_no_gpu_is_opened_for_a_torch_build_without_cuda(
    monkeypatch: pytest.MonkeyPatch, build: str
) -> None:
    driver = Driver(broken=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    monkeypatch.setattr(entry, "version", lambda name: f"2.13.0+{build}")
    entry.prepare_gpu(RuntimeConfig())
    assert driver.retained == []


def test_a_machine_without_a_driver_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "version", lambda name: "2.13.0+cu130")
    monkeypatch.setattr(card, "DRIVER", "libthere-is-no-such-thing.so")
    assert entry.prepare_gpu(RuntimeConfig()) is None


def test_kernels_that_are_not_in_the_cache_are_compiled_for_the_card(
    monkeypatch: pytest.MonkeyPatch, plans: list[CompilationPlan], tmp_path: Path
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(broken=False))
    monkeypatch.setattr(entry, "version", lambda name: "2.13.0+cu130")
    monkeypatch.setattr(child, "_has_triton", lambda: True)
    config = RuntimeConfig(max_num_seqs=32, kernel_cache=tmp_path / "kernels")

    assert entry.prepare_gpu(config) is not None
    [plan] = plans
    assert plan.card == Card((9, 0), 227 << 10)
    assert (plan.dtype, plan.max_num_seqs) == ("bfloat16", 32)
    assert plan.folder == tmp_path / "kernels" == Path(os.environ["TRITON_CACHE_DIR"])

    plan.mark(5, [])
    assert entry.prepare_gpu(config) is None


def test_the_weights_are_read_ahead(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    entry.read_ahead(tmp_path)
    entry.read_ahead(tmp_path / "missing")
