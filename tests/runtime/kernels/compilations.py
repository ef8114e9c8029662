"""The package's kernels, and how often Triton has compiled each in this process for a device."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from typing import Any

import pytest
import torch

from dsocr.runtime import kernels


def all_kernels() -> dict[str, Any]:
    """By module and name."""
    modules = [
        importlib.import_module(f"{kernels.__name__}.{module.name}")
        for module in pkgutil.iter_modules(kernels.__path__)
    ]
    return {
        f"{kernel.__module__}.{kernel.__name__}": kernel
        for module in modules
        for kernel in vars(module).values()
        if hasattr(kernel, "arg_names")
    }


def clear_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the duration of a test, as in a new process; Triton's cache on disk stays."""
    for kernel in all_kernels().values():
        empty = defaultdict(kernel.device_caches.default_factory)
        monkeypatch.setattr(kernel, "device_caches", empty)


def num_compiled(device: torch.device) -> dict[str, int]:
    """Compiled variants by kernel."""
    return {
        name: len(kernel.device_caches[device.index or 0][0])
        for name, kernel in all_kernels().items()
    }
