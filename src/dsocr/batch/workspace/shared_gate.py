"""A gate that many tasks pass together, or one alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class SharedGate:
    """While a task waits to be alone, no other enters."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._num_inside = 0
        self._alone = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        async with self._alone:
            self._num_inside += 1
        try:
            yield
        finally:
            self._num_inside -= 1
            async with self._changed:
                self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        async with self._alone:
            async with self._changed:
                await self._changed.wait_for(lambda: self._num_inside == 0)
            yield
