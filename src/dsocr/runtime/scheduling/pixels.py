"""Pixels of an image as a tensor, copied without holding the interpreter's lock.

Pillow's own export (`tobytes`, `np.asarray`) holds the lock for milliseconds, in which no step of
the device is launched. Its images lie in memory as four bytes a pixel, which the Arrow C data
interface gives access to; NumPy copies them and releases the lock.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

BANDS = 3


class _ArrowArray(ctypes.Structure):
    """`struct ArrowArray` of the Arrow C data interface."""


_ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]

_pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def square_tiles(image: Image.Image, grid: tuple[int, int]) -> Tensor:
    """An RGB image cut row by row into square tiles, (W*H, side, side, 3) uint8. `grid` is tiles
    wide and tiles high; the image's sides are its multiples."""
    wide, high = grid
    side = image.width // wide
    tiles = np.empty((high, wide, side, side, BANDS), np.uint8)
    with _memory(image) as pixels:
        parts = pixels.reshape(high, side, wide, side, -1)
        for row in range(high):
            for column in range(wide):
                for band in range(BANDS):  # one at a time: NumPy copies runs of three slowly
                    tiles[row, column, :, :, band] = parts[row, :, column, :, band]
    return torch.from_numpy(tiles).flatten(0, 1)


@contextmanager
def _memory(image: Image.Image) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    """The memory of an RGB image, (H, W, 4); of a very large one, which lies in several parts, a
    copy, (H, W, 3)."""
    try:
        _, capsule = image.__arrow_c_array__()
    except ValueError:
        yield np.asarray(image)
        return
    array = _ArrowArray.from_address(_pointer_of(capsule, b"arrow_array"))
    values = array.children[0].contents  # of a list of four bytes for each pixel
    size = 4 * image.width * image.height
    memory = (ctypes.c_uint8 * size).from_address(values.buffers[1])
    yield np.frombuffer(memoryview(memory), np.uint8).reshape(image.height, image.width, 4)
    del capsule  # kept until now: it keeps the memory
