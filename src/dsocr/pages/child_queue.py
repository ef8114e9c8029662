"""Hands out a fixed number of decoding children to the files that wait. Knows no process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

MAX_EXTRA_TURNS = 2
"""Requests that a file may have served between two of its turns, where an idle child has it open:
opening a file in another child takes time."""


@dataclass(slots=True)
class _File:
    """The requests of one file that wait, and the turns it may still have out of order."""

    waiters: deque[asyncio.Future[None]] = field(default_factory=deque)
    num_extra_turns: int = MAX_EXTRA_TURNS


class ChildQueue:
    """Files are served in turns, one request each: a long document that asks for many pages at once
    delays another one by no more than the pages that are being decoded and a few more."""

    def __init__(self, num_children: int, open_files: Callable[[], Collection[str]]) -> None:
        """`open_files` gives the files that idle children have open."""
        self._num_free = num_children
        self._open_files = open_files
        self._files: OrderedDict[str, _File] = OrderedDict()
        """Files with requests that wait; the first one is next."""

    @asynccontextmanager
    async def child(self, path: str) -> AsyncIterator[None]:
        """Waits until a child may work on this file, and counts it as busy while the block runs."""
        await self._acquire(path)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, path: str) -> None:
        granted = asyncio.get_running_loop().create_future()
        self._files.setdefault(path, _File()).waiters.append(granted)
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():  # cancelled just after it was granted
                self._release()
            raise

    def _release(self) -> None:
        self._num_free += 1
        self._grant()

    def _grant(self) -> None:
        while self._num_free and self._files:
            waiter = self._next()
            if not waiter.cancelled():
                self._num_free -= 1
                waiter.set_result(None)

    def _next(self) -> asyncio.Future[None]:
        path = self._next_path()
        self._files.move_to_end(path)
        file = self._files[path]
        waiter = file.waiters.popleft()
        if not file.waiters:
            del self._files[path]
        return waiter

    def _next_path(self) -> str:
        """The file whose turn it is, or one that an idle child has open."""
        for path in self._open_files():
            file = self._files.get(path)
            if file is not None and file.num_extra_turns:
                file.num_extra_turns -= 1
                return path
        path = next(iter(self._files))
        self._files[path].num_extra_turns = MAX_EXTRA_TURNS
        return path
