"""Who goes next when several documents want the same few places. Knows nothing of pages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

BACKGROUND_PATIENCE = 8
"""After so many turns of others in a row, one who waits in the background has his: slow, but never
starved."""

Line = deque["asyncio.Future[None]"]


class Turns:
    """A fair gate of `places()` places.

    Who has just come and who has been served before wait in two lines that take turns, each first
    come, first served. A document that asks for one place at a time thus shares evenly with all
    others, and a newcomer waits for one of them at most, however many there are.

    Whoever has time waits in the background, in a line of his owner's: these lines take turns among
    themselves when nobody waits in front.
    """

    def __init__(self, places: Callable[[], int]) -> None:
        self._places = places
        self._taken = 0
        self._newcomers: Line = deque()
        self._regulars: Line = deque()
        self._background: dict[str, Line] = {}
        """By owner; the first in this dict is the next to be served."""
        self._newcomer_next = True
        self._passed_over = 0

    @property
    def waiting(self) -> int:
        behind = sum(len(line) for line in self._background.values())
        return len(self._newcomers) + len(self._regulars) + behind

    @asynccontextmanager
    async def turn(self, *, newcomer: bool, background: str | None = None) -> AsyncIterator[None]:
        """Holds a place while the block runs; waits for it first. `background` names an owner."""
        if background is not None:
            line = self._background.setdefault(background, deque())
        else:
            line = self._newcomers if newcomer else self._regulars
        await self._enter(line)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, line: Line) -> None:
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
            place = self._next()
            if not place.cancelled():
                self._taken += 1
                place.set_result(None)

    def _next(self) -> asyncio.Future[None]:
        self._background = {owner: line for owner, line in self._background.items() if line}
        in_front = bool(self._newcomers or self._regulars)
        if self._background and (not in_front or self._passed_over >= BACKGROUND_PATIENCE):
            self._passed_over = 0
            owner, line = next(iter(self._background.items()))
            self._background[owner] = self._background.pop(owner)
            return line.popleft()
        self._passed_over += bool(self._background)
        return self._next_line_in_front().popleft()

    def _next_line_in_front(self) -> Line:
        if self._newcomers and (self._newcomer_next or not self._regulars):
            self._newcomer_next = False
            return self._newcomers
        self._newcomer_next = True
        return self._regulars
