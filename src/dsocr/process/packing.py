"""Numbers of a page as text in a frame's header: JSON takes a hundred times as long for each."""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable


def pack_floats(numbers: Iterable[float]) -> str:
    """Bit for bit, in the byte order of this machine."""
    return b64encode(array("d", numbers)).decode("ascii")


def unpack_floats(text: str) -> list[float]:
    numbers = array("d")
    numbers.frombytes(b64decode(text))
    return numbers.tolist()


def pack_counts(numbers: Iterable[int]) -> str:
    """Of numbers from 0 to 2**32 - 1. Raises `OverflowError` for others."""
    return b64encode(array("I", numbers)).decode("ascii")


def unpack_counts(text: str) -> list[int]:
    numbers = array("I")
    numbers.frombytes(b64decode(text))
    return numbers.tolist()
