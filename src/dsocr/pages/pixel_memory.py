"""The memory that a page's pixels are written to, in a decoding process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dsocr.process.child import Payload
from dsocr.process.shared_memory import BlockWriter
from dsocr.types import RawPixels

if TYPE_CHECKING:
    from PIL.Image import Image

Allocate = Callable[[int], bytearray | memoryview]
"""Provides writable memory of so many bytes."""
_STRIP_ROWS = 64


class PixelMemory:
    """Memory for the pixels of one page, which are sent without a copy."""

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._writer: BlockWriter | None = None
        self._bytes = bytearray()

    def allocate(self, num_bytes: int) -> bytearray | memoryview:
        if not self._shared:
            self._bytes = bytearray(num_bytes)
            return self._bytes
        self._writer = BlockWriter(num_bytes)
        return memoryview(self._writer.buffer)

    def payload(self) -> Payload:
        """What to send. No view of the memory may be left."""
        return self._writer.seal() if self._writer is not None else self._bytes


def raw_pixels(image: Image, allocate: Allocate) -> RawPixels:
    """The pixels of an image of mode "RGB", copied in strips: all of them as bytes beside the image
    and the allocated memory would take too much."""
    row_bytes = 3 * image.width
    memory = allocate(row_bytes * image.height)
    for top in range(0, image.height, _STRIP_ROWS):
        bottom = min(image.height, top + _STRIP_ROWS)
        strip = image.crop((0, top, image.width, bottom))
        memory[row_bytes * top : row_bytes * bottom] = strip.tobytes()
    return RawPixels(image.width, image.height, memory)
