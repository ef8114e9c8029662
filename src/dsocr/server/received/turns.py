"""The order in which the bodies of requests are received.

Uploads that are sent at once would all be received a little at a time, and none would be complete
before nearly all were: the engine would have nothing to read until then. A few at a time, in the
order of their arrival, the first are complete at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

MAX_AT_A_TIME = 8
PATIENCE_SECONDS = 0.25
"""A client that sends nothing for so long lets the next one begin, and is no longer counted."""

Message = dict[str, Any]


class Turns:
    """Bounds how many bodies are received at a time. For one event loop."""

    def __init__(
        self, at_a_time: int = MAX_AT_A_TIME, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._slots = asyncio.Semaphore(at_a_time)
        self._patience = patience_seconds

    async def messages(
        self, receive: Callable[[], Awaitable[Any]]
    ) -> AsyncGenerator[Message, None]:
        """The ASGI messages of a request, up to its last one or `http.disconnect`."""
        await self._slots.acquire()
        holds = True
        try:
            while True:
                waiting = asyncio.ensure_future(receive())
                try:
                    if holds and not (await asyncio.wait({waiting}, timeout=self._patience))[0]:
                        self._slots.release()
                        holds = False
                    message: Message = await waiting
                finally:
                    waiting.cancel()  # does nothing once it is done
                yield message
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
        finally:
            if holds:
                self._slots.release()
