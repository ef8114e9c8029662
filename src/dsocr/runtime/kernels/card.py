"""The GPU that kernels are compiled for. Plain data: importing this loads no torch."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from functools import cache

DRIVER = "libcuda.so.1"
_MAJOR, _MINOR, _SHARED_MEMORY = 75, 76, 97
"""CUdevice_attribute: compute capability, and most shared memory of a program that asks for it."""
_SHARED_KB = {75: 64, 80: 163, 86: 99, 87: 163, 89: 99, 90: 227, 100: 227, 103: 227, 120: 99}
"""KiB of shared memory of a program, by compute capability."""
_AMPERE = (8, 0)


@dataclass(frozen=True, slots=True)
class Card:
    """The limits of a GPU that kernels are compiled for."""

    capability: tuple[int, int]
    shared_memory: int
    """Bytes that a program can have."""

    @property
    def arch(self) -> str:
        return f"sm_{self.capability[0]}{self.capability[1]}"

    @property
    def has_bfloat16(self) -> bool:
        return self.capability >= _AMPERE


def card_of_arch(arch: str) -> Card:
    """The card of an architecture such as sm_90. Raises `ValueError` for one that is not known."""
    named = re.fullmatch(r"(?:sm_?)?(\d+)a?", arch.strip().lower())
    number = int(named[1]) if named else 0
    if number not in _SHARED_KB:
        known = ", ".join(f"sm_{one}" for one in _SHARED_KB)
        raise ValueError(f"{arch!r} is not a known GPU architecture; use one of {known}.")
    return Card(divmod(number, 10), _SHARED_KB[number] << 10)


def card_of(driver: ctypes.CDLL, device: ctypes.c_int) -> Card:
    """What the driver says of a device."""

    def value(attribute: int) -> int:
        number = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
        return number.value

    return Card((value(_MAJOR), value(_MINOR)), value(_SHARED_MEMORY))


@cache
def load_driver() -> ctypes.CDLL | None:
    """The driver's library; None where there is none."""
    try:
        return ctypes.CDLL(DRIVER)
    except OSError:
        return None


def open_device(device: str) -> tuple[ctypes.CDLL, ctypes.c_int] | None:
    """The driver and the CUDA device that a setting such as `auto` or `cuda:1` names; None where
    there is none."""
    requested = re.fullmatch(r"(?:auto|all|cuda(?::(\d+))?)", device)
    number, driver = ctypes.c_int(), load_driver()
    if requested is None or driver is None:
        return None
    is_open = driver.cuInit(0) == 0 and not driver.cuDeviceGet(
        ctypes.byref(number), int(requested[1] or 0)
    )
    return (driver, number) if is_open else None
