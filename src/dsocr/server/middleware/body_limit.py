"""Bounds the size and the minimum rate of request bodies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dsocr.errors import DsocrError, TooLarge
from dsocr.server import problems
from dsocr.server.problems import SlowUpload

DRAIN_SECONDS = 2.0
"""How long the rest of a refused body is read, so that the client receives the response."""
DRAIN_BYTES = 4 << 20


class BodyLimitMiddleware:
    """Bounds the size and the minimum rate of bodies. The bytes are counted, whatever
    Content-Length says.

    `overhead` is added to the limit for the form around a file. A response that is sent before the
    whole body was read closes the connection; a little more of the body is read first, since a
    reset connection could discard the response.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit_of: Callable[[Scope], int],
        overhead: int,
        window_seconds: float,
        bytes_per_second: int,
    ) -> None:
        self.app = app
        self.limit_of = limit_of
        self.overhead = overhead
        self.window_seconds = window_seconds
        self.window_bytes = int(window_seconds * bytes_per_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(
            receive, self.limit_of(scope), self.overhead, self.window_seconds, self.window_bytes
        )
        if not body.is_expected(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        send = body.closing_send(send)
        try:
            body.check_content_length(Headers(scope=scope))
        except DsocrError as error:
            await problems.response_of(error, scope)(scope, receive, send)
            return
        await self.app(scope, body.receive, send)


class _Body:
    """The body of one request while it is received."""

    def __init__(
        self, receive: Receive, limit: int, overhead: int, window_seconds: float, window_bytes: int
    ) -> None:
        self._receive = receive
        self._limit = limit
        self._max_bytes = limit + overhead
        self._window_seconds = window_seconds
        self._window_bytes = window_bytes
        self._window_start = 0
        self._waited = 0.0
        """Seconds of this window spent waiting for the client; what the service does between two
        calls of `receive`, such as starting its engine, does not count."""
        self._num_bytes = 0
        self._ended = False

    @staticmethod
    def is_expected(headers: Headers) -> bool:
        return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"

    def check_content_length(self, headers: Headers) -> None:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise self._too_large()

    async def receive(self) -> Message:
        """The next message. Raises `TooLarge` and `SlowUpload`. No timeout after the body."""
        if self._ended:
            return await self._receive()
        began = time.monotonic()
        try:
            left = max(0.0, self._window_seconds - self._waited)
            message = await asyncio.wait_for(self._receive(), left)
        except asyncio.TimeoutError:
            raise SlowUpload() from None
        self._waited += time.monotonic() - began
        self._count_message(message)
        if self._num_bytes > self._max_bytes:
            raise self._too_large()
        return message

    def closing_send(self, send: Send) -> Send:
        """`send` that closes the connection if the body was not read completely."""

        async def send_and_close(message: Message) -> None:
            if self._ended:
                await send(message)
            elif message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
                await send(message)
            elif message.get("more_body", False):
                await send(message)
            else:
                await send({**message, "more_body": True})
                await self._drain()
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        return send_and_close

    async def _drain(self) -> None:
        """Reads on for a while; the client may not read the response before it has sent all."""
        start = self._num_bytes
        deadline = time.monotonic() + DRAIN_SECONDS
        while not self._ended and self._num_bytes - start < DRAIN_BYTES:
            try:
                left = max(0.0, deadline - time.monotonic())
                self._count_message(await asyncio.wait_for(self._receive(), left))
            except asyncio.TimeoutError:
                return

    def _count_message(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._ended = True
            return
        self._num_bytes += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self._num_bytes - self._window_start >= self._window_bytes:
            self._window_start, self._waited = self._num_bytes, 0.0

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The request is larger than {self._limit / (1 << 20):.4g} MiB.")
