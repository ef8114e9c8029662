"""Limits the payload bytes in flight to a process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class InflightLimiter:
    """First come, first served. One page always fits, however large it is.

    The number of pages is not limited here: the pipeline limits it to `EngineInfo.max_concurrency`.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._num_pages = self._num_bytes = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def admit(self, num_bytes: int) -> AsyncIterator[None]:
        """Waits until `num_bytes` fit, and holds them while the block runs."""
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((num_bytes, admitted))
        self._admit()
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():  # cancelled just after admission
                self._release(num_bytes)
            else:
                self._admit()  # smaller pages may have waited behind this one
            raise
        try:
            yield
        finally:
            self._release(num_bytes)

    def _release(self, num_bytes: int) -> None:
        self._num_pages -= 1
        self._num_bytes -= num_bytes
        self._admit()

    def _admit(self) -> None:
        while self._queue:
            num_bytes, admitted = self._queue[0]
            if not admitted.cancelled():
                if self._num_pages and self._num_bytes + num_bytes > self._max_bytes:
                    return
                self._num_pages += 1
                self._num_bytes += num_bytes
                admitted.set_result(None)
            self._queue.popleft()
