"""A fair queue for a limited number of slots that many documents compete for. Knows no pages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

MAX_PASSED_OVER = 8
"""After so many foreground slots in a row a waiting background request gets one: slow, but never
starved."""

Waiters = deque["asyncio.Future[None]"]


class FairQueue:
    """Hands out `capacity()` slots.

    First requests and repeated ones wait in two queues that are served alternately, each first
    come, first served. A document that asks for one slot at a time thus shares evenly with all
    others, and a new document waits for at most one of them, however many there are.

    Background requests wait in one queue an owner. Those are served in turns, when no foreground
    request waits. They leave `reserved` slots free for the foreground.
    """

    def __init__(self, capacity: Callable[[], int], *, reserved: int = 0) -> None:
        self._capacity = capacity
        self._reserved = reserved
        self._num_taken = 0
        self._first: Waiters = deque()
        self._repeated: Waiters = deque()
        self._background: dict[str, Waiters] = {}
        """By owner; owners without waiters are left out."""
        self._num_served: dict[str, int] = {}
        """Slots each owner has had. An owner that comes back continues from the count of the owner
        served last, or from its own if that is higher: absence earns no credit, and asking a moment
        late costs none."""
        self._last_served = 0
        self._first_is_next = True
        self._passed_over = 0

    @property
    def num_taken(self) -> int:
        return self._num_taken

    @property
    def num_waiting(self) -> int:
        background = sum(len(waiters) for waiters in self._background.values())
        return len(self._first) + len(self._repeated) + background

    @asynccontextmanager
    async def slot(self, *, is_first: bool, background: str | None = None) -> AsyncIterator[None]:
        """Waits for a slot and holds it while the block runs. `is_first`: the document has had
        none yet. `background` names an owner."""
        await self._acquire(self._queue_of(is_first, background))
        try:
            yield
        finally:
            self._release()

    def capacity_changed(self) -> None:
        """Grants the slots that a larger capacity allows."""
        self._grant()

    def _queue_of(self, is_first: bool, background: str | None) -> Waiters:
        if background is None:
            return self._first if is_first else self._repeated
        served = max(self._num_served.get(background, 0), self._last_served)
        self._num_served[background] = served
        return self._background.setdefault(background, deque())

    async def _acquire(self, waiters: Waiters) -> None:
        granted = asyncio.get_running_loop().create_future()
        waiters.append(granted)
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():  # cancelled just after it was granted
                self._release()
            elif granted in waiters:
                waiters.remove(granted)
            raise

    def _release(self) -> None:
        self._num_taken -= 1
        self._grant()

    def _grant(self) -> None:
        while self._num_taken < max(1, self._capacity()):
            waiter = self._next()
            if waiter is None:
                return
            if not waiter.cancelled():
                self._num_taken += 1
                waiter.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        self._background = {owner: queue for owner, queue in self._background.items() if queue}
        foreground = bool(self._first or self._repeated)
        if self._background and self._may_serve_background(foreground):
            self._passed_over = 0
            return self._next_in_background().popleft()
        if not foreground:
            return None
        self._passed_over += bool(self._background)
        return self._next_in_foreground().popleft()

    def _may_serve_background(self, foreground: bool) -> bool:
        if self._passed_over >= MAX_PASSED_OVER:
            return True
        return not foreground and self._num_taken < max(1, self._capacity() - self._reserved)

    def _next_in_background(self) -> Waiters:
        owner = min(self._background, key=self._num_served.__getitem__)
        self._last_served = self._num_served[owner]
        self._num_served[owner] += 1
        self._num_served = {
            name: count
            for name, count in self._num_served.items()
            if name in self._background or count > self._last_served
        }
        return self._background[owner]

    def _next_in_foreground(self) -> Waiters:
        if self._first and (self._first_is_next or not self._repeated):
            self._first_is_next = False
            return self._first
        self._first_is_next = True
        return self._repeated
