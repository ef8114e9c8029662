"""Who goes next when several documents want the same few places. Knows nothing of pages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Turns:
    """A fair gate of `places()` places.

    Who has just come and who has been served before wait in two lines that take turns, each first
    come, first served. A document that asks for one place at a time thus shares evenly with all
    others, and a newcomer waits for one of them at most, however many there are.
    """

    def __init__(self, places: Callable[[], int]) -> None:
        self._places = places
        self._taken = 0
        self._newcomers: deque[asyncio.Future[None]] = deque()
        self._regulars: deque[asyncio.Future[None]] = deque()
        self._newcomer_next = True

    @property
    def waiting(self) -> int:
        return len(self._newcomers) + len(self._regulars)

    @asynccontextmanager
    async def turn(self, *, newcomer: bool) -> AsyncIterator[None]:
        """Holds a place while the block runs; waits for it first."""
        await self._enter(self._newcomers if newcomer else self._regulars)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, line: deque[asyncio.Future[None]]) -> None:
        place = asyncio.get_running_loop().create_future()
        line.append(place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # admitted and cancelled in one breath: hand the place on
                self._leave()
            elif place in line:
                line.remove(place)
            raise

    def _leave(self) -> None:
        self._taken -= 1
        self._admit()

    def _admit(self) -> None:
        while self.waiting and self._taken < max(1, self._places()):
            place = self._next_line().popleft()
            if not place.cancelled():
                self._taken += 1
                place.set_result(None)

    def _next_line(self) -> deque[asyncio.Future[None]]:
        if self._newcomers and (self._newcomer_next or not self._regulars):
            self._newcomer_next = False
            return self._newcomers
        self._newcomer_next = True
        return self._regulars
