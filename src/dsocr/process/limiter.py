"""How many pages may be on their way to a process, by number and by the memory they take."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class InflightLimiter:
    """First come, first served. One page always fits, however large it is."""

    def __init__(self, count: int, *, max_bytes: int) -> None:
        self.count, self._max_bytes = count, max_bytes
        self._taken = self._bytes = 0
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    def widen(self, count: int) -> None:
        self.count = max(self.count, count)
        self._admit()

    @asynccontextmanager
    async def place(self, num_bytes: int) -> AsyncIterator[None]:
        """Holds a place while the block runs; waits for it first."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((num_bytes, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # admitted and cancelled in one breath
                self._leave(num_bytes)
            else:
                self._admit()  # a large page may have held up smaller ones
            raise
        try:
            yield
        finally:
            self._leave(num_bytes)

    def _leave(self, num_bytes: int) -> None:
        self._taken -= 1
        self._bytes -= num_bytes
        self._admit()

    def _admit(self) -> None:
        while self._line and self._taken < self.count:
            num_bytes, turn = self._line[0]
            if not turn.cancelled():
                if self._taken and self._bytes + num_bytes > self._max_bytes:
                    return
                self._taken += 1
                self._bytes += num_bytes
                turn.set_result(None)
            self._line.popleft()
