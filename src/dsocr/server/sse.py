"""Server-sent events: a response that sends what a task emits. Knows no documents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dsocr.server.deps import disconnected


class Emit(Protocol):
    """Queues an event; never blocks."""

    def __call__(self, name: str, data: dict[str, Any], id: int | None = None) -> None:
        """`id` is sent as the event's id, to resume after; by default events are counted."""


Work = Callable[[Emit], Awaitable[None]]
Encode = Callable[[str, dict[str, Any], int], bytes]
"""An event as bytes: its name, its data, its id."""


def event_bytes(name: str, data: dict[str, Any], id: int) -> bytes:
    return f"id: {id}\nevent: {name}\ndata: {compact_json(data)}\n\n".encode()


def compact_json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


class EventStream(Response):
    """Runs `work(emit)` and sends its events. A client that disconnects cancels the work."""

    media_type = "text/event-stream"

    def __init__(
        self, work: Work, *, heartbeat_seconds: float, encode: Encode = event_bytes
    ) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._work = work
        self._heartbeat_seconds = heartbeat_seconds
        self._encode = encode
        self._events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._last_id = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.ensure_future(self._run())
        disconnect = asyncio.ensure_future(disconnected(receive))
        disconnect.add_done_callback(lambda _: work.cancel())
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            while (event := await self._next()) is not None:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            work.cancel()
            disconnect.cancel()
            await asyncio.gather(work, disconnect, return_exceptions=True)
        if not work.cancelled():
            work.result()

    async def _run(self) -> None:
        try:
            await self._work(self._emit)
        finally:
            self._events.put_nowait(None)

    def _emit(self, name: str, data: dict[str, Any], id: int | None = None) -> None:
        self._last_id = self._last_id + 1 if id is None else id
        self._events.put_nowait(self._encode(name, data, self._last_id))

    async def _next(self) -> bytes | None:
        try:
            return await asyncio.wait_for(self._events.get(), self._heartbeat_seconds)
        except asyncio.TimeoutError:
            return b": still reading\n\n"
