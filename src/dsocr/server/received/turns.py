"""The order in which the bodies of requests are received.

Uploads that are sent at once would all be received a little at a time, and none would be complete
before nearly all were: the engine would have nothing to read until then. A few at a time, in the
order of their arrival, the first are complete at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

PLACES = 8
"""Bodies that are received at a time."""
PATIENCE_SECONDS = 0.25
"""A client that sends nothing for so long gives its place to the next, and goes on without one."""

Message = dict[str, Any]


class Turns:
    """Places for the bodies that are received; belongs to one event loop."""

    def __init__(self, places: int = PLACES, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._places = asyncio.Semaphore(places)
        self._patience = patience_seconds

    async def messages(
        self, receive: Callable[[], Awaitable[Any]]
    ) -> AsyncGenerator[Message, None]:
        """The ASGI messages of a request, up to its last one or `http.disconnect`."""
        await self._places.acquire()
        holds = True
        try:
            while True:
                waiting = asyncio.ensure_future(receive())
                try:
                    if holds and not (await asyncio.wait({waiting}, timeout=self._patience))[0]:
                        self._places.release()
                        holds = False
                    message: Message = await waiting
                finally:
                    waiting.cancel()  # does nothing once it is done
                yield message
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
        finally:
            if holds:
                self._places.release()
