from __future__ import annotations

import ctypes
from typing import Any

import pytest
import torch

from dsocr.runtime import gpu_count


class Driver:
    """A driver of three GPUs."""

    def __init__(self, *, broken: bool = False) -> None:
        self._broken = broken

    def cuInit(self, flags: int) -> int:
        return 100 if self._broken else 0

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = 3
        return 0


def pretend(monkeypatch: pytest.MonkeyPatch, build: str, driver: Driver) -> None:
    monkeypatch.setattr(gpu_count, "version", lambda name: f"2.13.0{build}")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.parametrize(
    ("build", "broken", "count"),
    [
        ("+cu130", False, 3),
        ("", False, 3),
        ("+cu130", True, 0),
        ("+cpu", False, 0),
        ("+xpu", False, 0),
        ("+rocm6.4", True, 2),
    ],
)
def test_gpus_are_those_that_torch_can_use(
    monkeypatch: pytest.MonkeyPatch, build: str, broken: bool, count: int
) -> None:
    pretend(monkeypatch, build, Driver(broken=broken))
    assert gpu_count.count_gpus() == count


def test_a_machine_without_a_driver_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_count, "version", lambda name: "2.13.0+cu130")
    monkeypatch.setattr(gpu_count, "DRIVER", "libthere-is-no-such-thing.so")
    assert gpu_count.count_gpus() == 0
