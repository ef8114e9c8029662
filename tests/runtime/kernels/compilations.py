"""Our kernels, and what Triton has compiled of them in this process for a card."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from typing import Any

import pytest
import torch

from dsocr.runtime import kernels


def all_kernels() -> dict[str, Any]:
    """Those of ours, by name."""
    modules = [
        importlib.import_module(f"{kernels.__name__}.{module.name}")
        for module in pkgutil.iter_modules(kernels.__path__)
    ]
    return {
        f"{one.__module__}.{one.__name__}": one
        for module in modules
        for one in vars(module).values()
        if hasattr(one, "arg_names")
    }


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the time of a test, as in a process of its own; what is on the disk stays."""
    for kernel in all_kernels().values():
        anew = defaultdict(kernel.device_caches.default_factory)
        monkeypatch.setattr(kernel, "device_caches", anew)


def num_compiled(device: torch.device) -> dict[str, int]:
    """By kernel. Triton keeps what it compiled by card."""
    return {
        name: len(kernel.device_caches[device.index or 0][0])
        for name, kernel in all_kernels().items()
    }
