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


class FairQueue:
    """A fair gate of `places()` places.

    Who has just come and who has been served before wait in two lines that take turns, each first
    come, first served. A document that asks for one place at a time thus shares evenly with all
    others, and a newcomer waits for one of them at most, however many there are.

    Whoever has time waits in the background, in a line of his owner's: these lines take turns among
    themselves when nobody waits in front. They leave `kept_free` places free for the front.
    """

    def __init__(self, places: Callable[[], int], *, kept_free: int = 0) -> None:
        self._places = places
        self._kept_free = kept_free
        self._taken = 0
        self._newcomers: Line = deque()
        self._regulars: Line = deque()
        self._background: dict[str, Line] = {}
        """By owner, each only while somebody is in it."""
        self._served: dict[str, int] = {}
        """How far each owner is. Who comes back is as far as whoever was served last, or further:
        he neither gains by having been away nor loses by having asked a moment too late."""
        self._last = 0
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
            self._served[background] = max(self._served.get(background, 0), self._last)
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
        while self._taken < max(1, self._places()):
            place = self._next()
            if place is None:
                return
            if not place.cancelled():
                self._taken += 1
                place.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        self._background = {owner: line for owner, line in self._background.items() if line}
        in_front = bool(self._newcomers or self._regulars)
        starved = self._passed_over >= BACKGROUND_PATIENCE
        room = self._taken < max(1, self._places() - self._kept_free)
        if self._background and (starved or (room and not in_front)):
            self._passed_over = 0
            return self._next_behind().popleft()
        if not in_front:
            return None
        self._passed_over += bool(self._background)
        return self._next_line_in_front().popleft()

    def _next_behind(self) -> Line:
        owner = min(self._background, key=self._served.__getitem__)
        self._last = self._served[owner]
        self._served[owner] += 1
        self._served = {
            name: count
            for name, count in self._served.items()
            if name in self._background or count > self._last
        }
        return self._background[owner]

    def _next_line_in_front(self) -> Line:
        if self._newcomers and (self._newcomer_next or not self._regulars):
            self._newcomer_next = False
            return self._newcomers
        self._newcomer_next = True
        return self._regulars
