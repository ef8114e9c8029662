"""Triton where it is installed; elsewhere placeholders, so that kernels can be defined but not run.

Triton compiles a kernel again for integers that are divisible by 16, for 1, for large integers, and
for aligned and unaligned pointers. Arguments that vary between steps are marked `do_not_specialize`
or typed, so that they cause no recompilation while pages are being read.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

import torch

from dsocr.runtime.kernels.card import Card

__all__ = [
    "INSTALLED",
    "KernelError",
    "OutOfResources",
    "compile_for",
    "compute_capability",
    "constexprs",
    "dot_precision",
    "fit_block",
    "fit_stages",
    "next_power_of_2",
    "preload_triton_key",
    "split_width",
    "supports_kernels",
    "tl",
    "triton",
]

FLOAT32_BYTES = 96 << 10
"""Shared memory that the kernels need for float32; with 16-bit types smaller blocks fit less."""

try:
    import triton
    from triton import language as tl
    from triton.errors import TritonError as KernelError
    from triton.runtime.errors import OutOfResources

    INSTALLED = True
except ImportError:
    INSTALLED = False

    class KernelError(Exception):  # type: ignore[no-redef]
        """Never raised without Triton."""

    class OutOfResources(Exception):  # type: ignore[no-redef]
        """Never raised without Triton."""

    class _Placeholder:
        """`@triton.jit` returns the function unchanged; `tl.constexpr` is an annotation only."""

        constexpr = None

        def jit(self, function: Any = None, **_: Any) -> Any:
            return function or self.jit

    triton = tl = _Placeholder()


def constexprs(*values: int) -> list[Any]:
    """The values as `tl.constexpr`: kernels can read no other globals."""
    return [tl.constexpr(value) for value in values] if INSTALLED else [*values]


def preload_triton_key() -> None:
    """Computes the hash of Triton's own files that its first kernel needs, and that it caches. This
    takes a third of a second and needs neither a GPU nor the interpreter."""
    for module in ("triton.runtime.cache", "triton.compiler.compiler"):  # since 3.5, and before
        with suppress(ImportError, AttributeError):
            import_module(module).triton_key()
            return


_card: list[Card] = []
"""The card that `meta` stands for; empty: none."""


def compile_for(card: Card) -> None:
    """From now on tensors on `meta` stand for this card's, and Triton compiles for it, whatever GPU
    the machine has. For a process that compiles and runs nothing."""
    from triton.backends.compiler import GPUTarget

    major, minor = card.capability
    _card[:] = [card]
    _shared_memory.cache_clear()
    triton.runtime.driver.set_active(_Target(GPUTarget("cuda", 10 * major + minor, 32)))


class _Target:
    """What Triton asks of a driver in order to compile."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def get_current_target(self) -> Any:
        return self._target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def compute_capability(device: torch.device) -> tuple[int, int]:
    """Of a CUDA device, or of the card that `meta` stands for; (0, 0) of others."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)
    return _card[0].capability if device.type == "meta" and _card else (0, 0)


def supports_kernels(device: torch.device, dtype: torch.dtype) -> bool:
    """False on ROCm, where the kernels are untested, and for float32 on Turing."""
    if not INSTALLED or torch.version.hip is not None or compute_capability(device) == (0, 0):
        return False
    return dtype.itemsize <= 2 or _shared_memory(device)[0] >= FLOAT32_BYTES


def fit_stages(
    stages: int, device: torch.device, *, stage_bytes: int, resident_bytes: int = 0
) -> int:
    """Pipeline stages of a loop: `stages`, or as many as fit into the device's shared memory beside
    `resident_bytes`. The stages in `tuning` were measured on an H200, which has the most."""
    memory, unbuffered = _shared_memory(device)
    fitting = (memory - resident_bytes) // stage_bytes + unbuffered
    return max(1, min(stages, fitting))


def fit_block(size: int, device: torch.device, bytes_of: Callable[[int], int]) -> int:
    """`size`, halved until the `bytes_of` a program with one stage fit into shared memory."""
    memory, _ = _shared_memory(device)
    while size > 16 and bytes_of(size) > memory:
        size //= 2
    return size


@cache
def _shared_memory(device: torch.device) -> tuple[int, int]:
    """Bytes of shared memory of a program, and how many pipeline stages need no buffer: one before
    Hopper, none since."""
    if compute_capability(device) == (0, 0):
        return 1 << 30, 0
    unbuffered = int(compute_capability(device) < (9, 0))
    if device.type == "meta":
        return _card[0].shared_memory, unbuffered
    index = torch.cuda.current_device() if device.index is None else device.index
    # torch 2.6 does not report it; Triton checks its kernels against this property
    properties = triton.runtime.driver.active.utils.get_device_properties(index)
    return properties["max_shared_mem"], unbuffered


def dot_precision(dtype: torch.dtype) -> str:
    """`input_precision` of `tl.dot`: exact for float32, which is used for comparisons."""
    return "ieee" if dtype == torch.float32 else "tf32"


def next_power_of_2(size: int, *, minimum: int = 16) -> int:
    """The smallest block of Triton that covers `size`; `tl.dot` needs at least 16."""
    return max(minimum, 1 << (size - 1).bit_length())


def split_width(size: int) -> tuple[int, int]:
    """The largest power of two in `size` and one that covers the rest, or 0: for a width like 1280
    two blocks waste less than one."""
    first = 1 << (size.bit_length() - 1)
    return first, 0 if first == size else next_power_of_2(size - first)
