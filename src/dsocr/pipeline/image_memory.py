"""How many page images may be in memory: bounded by number and by bytes. Knows no documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from dsocr.pipeline.fair_queue import FairQueue
from dsocr.process.machine import num_cores

DEFAULT_IMAGE_BYTES = 8 << 20
"""Of a page whose size is not known yet, while no other is in memory: A4 at 144 dpi takes 6 MB."""
MIN_RENDERING = 4
"""Pages that may be rendered at once, or two a core, whichever is more: one is decoded while the
next waits for the decoder. Their sizes are not known yet, so that they are limited by number."""


class ImageMemory:
    """Slots for page images, handed out by a fair queue.

    A slot is taken before its page is rendered. Until then the page counts with the size of the
    largest one in memory. One page always fits, however large it is.
    """

    def __init__(self, max_images: Callable[[], int], max_bytes: int) -> None:
        self._max_images = max_images
        self._max_bytes = max_bytes
        self._sizes: list[int] = []
        """Of the images in memory."""
        self._max_rendering = max(MIN_RENDERING, 2 * num_cores())
        self._queue = FairQueue(self._capacity, reserved=1)

    @asynccontextmanager
    async def slot(self, *, is_first: bool, background: str | None) -> AsyncIterator[None]:
        """See `FairQueue.slot`."""
        async with self._queue.slot(is_first=is_first, background=background):
            yield

    @contextmanager
    def hold(self, num_bytes: int) -> Iterator[None]:
        """Within a slot: its page is rendered and has so many bytes."""
        self._sizes.append(num_bytes)
        self._queue.capacity_changed()
        try:
            yield
        finally:
            self._sizes.remove(num_bytes)

    def _capacity(self) -> int:
        """Slots in all, for the sizes of the images in memory."""
        num_taken = self._queue.num_taken
        num_rendering = num_taken - len(self._sizes)
        size = max(self._sizes, default=DEFAULT_IMAGE_BYTES)
        num_free_bytes = self._max_bytes - sum(self._sizes) - num_rendering * size
        more = min(self._max_rendering - num_rendering, num_free_bytes // max(1, size))
        return min(self._max_images(), num_taken + more)
