"""Triton where it is installed; elsewhere stand-ins, so that kernels can be defined, never run."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch

__all__ = [
    "INSTALLED",
    "halves",
    "power_of_two",
    "precision_of",
    "read_own_files",
    "tl",
    "triton",
    "usable_kernels",
]

try:
    import triton
    from triton import language as tl

    INSTALLED = True
except ImportError:
    INSTALLED = False

    class _Absent:
        """`@triton.jit` leaves a function as it is; `tl.constexpr` is a mere name."""

        constexpr = None

        def jit(self, function: Any) -> Any:
            return function

    triton = tl = _Absent()


def read_own_files() -> None:
    """Triton looks through all of its own files before its first kernel, a third of a second that
    needs neither a GPU nor the interpreter. It remembers."""
    with suppress(ImportError):
        from triton.runtime.cache import triton_key

        triton_key()


def usable_kernels(device: torch.device) -> bool:
    return INSTALLED and device.type == "cuda"


def precision_of(dtype: torch.dtype) -> str:
    """How `tl.dot` multiplies: float32 is asked for to compare, so it is meant."""
    return "ieee" if dtype == torch.float32 else "tf32"


def power_of_two(size: int, *, least: int = 16) -> int:
    """The smallest block that Triton can lay over `size`; products want 16 at least."""
    return max(least, 1 << (size - 1).bit_length())


def halves(size: int) -> tuple[int, int]:
    """The largest power of two in `size` and one that covers the rest, or 0: together they waste
    less of a width like 1280 than a single block would."""
    first = 1 << (size.bit_length() - 1)
    return first, 0 if first == size else power_of_two(size - first)
