from __future__ import annotations

import ctypes
from typing import Any

import pytest

from dsocr.runtime import entry


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
    entry.open_gpu(device)
    assert driver.retained == retained


@pytest.mark.parametrize("build", ["cpu", "rocm6.4"])
def test_no_gpu_is_opened_for_a_torch_build_without_cuda(
    monkeypatch: pytest.MonkeyPatch, build: str
) -> None:
    driver = Driver(broken=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    monkeypatch.setattr(entry, "version", lambda name: f"2.13.0+{build}")
    entry.open_gpu("auto")
    assert driver.retained == []


def test_a_machine_without_a_driver_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "version", lambda name: "2.13.0+cu130")
    monkeypatch.setattr(entry, "DRIVER", "libthere-is-no-such-thing.so")
    entry.open_gpu("auto")
