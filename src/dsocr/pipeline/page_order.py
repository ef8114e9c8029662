"""Lets the pages of a document pass in order, although they are rendered at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class PageOrder:
    """Position 0 passes first, and each other one after its predecessor."""

    def __init__(self) -> None:
        self._next = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def turn(self, position: int) -> AsyncIterator[None]:
        """Waits until all earlier positions have passed; passes when the block ends."""
        if position != self._next:
            self._waiting[position] = asyncio.get_running_loop().create_future()
            await self._waiting[position]
        try:
            yield
        finally:
            self._next += 1
            following = self._waiting.pop(self._next, None)
            if following is not None and not following.done():
                following.set_result(None)
