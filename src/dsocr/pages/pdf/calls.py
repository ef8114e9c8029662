"""pdfium's functions called with plain addresses, for those that a page calls thousands of times.

The checked wrappers take several times as long a call. Runs only in a decoding process.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pypdfium2.raw as pdfium_c


def address_of(handle: Any) -> int:
    """Of what a pointer of pdfium's wrapper, or one of its functions, points to."""
    address = ctypes.cast(handle, ctypes.c_void_p).value
    assert address is not None
    return address


def function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """pdfium's function of this name, with its types given; it runs holding the interpreter's
    lock."""
    prototype = ctypes.PYFUNCTYPE(result, *arguments)
    found: Callable[..., Any] = prototype(address_of(getattr(pdfium_c, name)))
    return found
