"""Triton where it is installed; elsewhere stand-ins, so that kernels can be defined, never run.

Triton compiles a kernel again for numbers that divide by 16, for 1, for large ones, and for
pointers that are aligned or not. Arguments that vary between steps are marked `do_not_specialize`
or typed, so that they trigger no recompile: nobody should wait for a compiler in mid-page.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

import torch

__all__ = [
    "INSTALLED",
    "KernelError",
    "OutOfResources",
    "constants",
    "fitting_block",
    "fitting_stages",
    "halves",
    "power_of_two",
    "precision_of",
    "read_own_files",
    "tl",
    "triton",
    "usable_kernels",
]

FLOAT32_BYTES = 96 << 10
"""Shared memory that the kernels need for float32; for 16 bits they can be cut to fit less."""

try:
    import triton
    from triton import language as tl
    from triton.errors import TritonError as KernelError
    from triton.runtime.errors import OutOfResources

    INSTALLED = True
except ImportError:
    INSTALLED = False

    class KernelError(Exception):  # type: ignore[no-redef]
        """Where there are no kernels none fails."""

    class OutOfResources(Exception):  # type: ignore[no-redef]
        """Nor does one lack registers or shared memory."""

    class _Absent:
        """`@triton.jit` leaves a function as it is; `tl.constexpr` is a mere name."""

        constexpr = None

        def jit(self, function: Any = None, **_: Any) -> Any:
            return function or self.jit

    triton = tl = _Absent()


def constants(*values: int) -> list[Any]:
    """The same for use in kernels, which read no other globals."""
    return [tl.constexpr(value) for value in values] if INSTALLED else [*values]


def read_own_files() -> None:
    """Triton looks through all of its own files before its first kernel, a third of a second that
    needs neither a GPU nor the interpreter. It remembers."""
    for module in ("triton.runtime.cache", "triton.compiler.compiler"):  # since 3.5, and before
        with suppress(ImportError, AttributeError):
            import_module(module).triton_key()
            return


def usable_kernels(device: torch.device, dtype: torch.dtype) -> bool:
    """Not on ROCm, where nothing of them was ever tried, and not for float32 on Turing."""
    if not INSTALLED or device.type != "cuda" or torch.version.hip is not None:
        return False
    return dtype.itemsize <= 2 or _shared_memory(device)[0] >= FLOAT32_BYTES


def fitting_stages(
    stages: int, device: torch.device, *, stage_bytes: int, kept_bytes: int = 0
) -> int:
    """So many stages of a loop, or fewer, as the card's shared memory holds beside what is kept:
    all were chosen on an H200, which has the most."""
    memory, unbuffered = _shared_memory(device)
    fitting = (memory - kept_bytes) // stage_bytes + unbuffered
    return max(1, min(stages, fitting))


def fitting_block(size: int, device: torch.device, bytes_of: Callable[[int], int]) -> int:
    """That size or a half, a quarter of it: what a program needs must fit with a single stage."""
    memory, _ = _shared_memory(device)
    while size > 16 and bytes_of(size) > memory:
        size //= 2
    return size


@cache
def _shared_memory(device: torch.device) -> tuple[int, int]:
    """Bytes a program may have, and how many pipeline stages need no buffer of their own: one
    before Hopper, none since."""
    if device.type != "cuda":
        return 1 << 30, 0
    index = torch.cuda.current_device() if device.index is None else device.index
    # torch 2.6 cannot tell; this is what Triton itself holds a kernel against
    properties = triton.runtime.driver.active.utils.get_device_properties(index)
    return properties["max_shared_mem"], int(torch.cuda.get_device_capability(device) < (9, 0))


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
