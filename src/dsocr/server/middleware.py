"""The layers around the app, plain ASGI: who is asking, from where, and how much may they send.

They look at `scope` alone, never at a URL rebuilt from the Host header, which a client may forge.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dsocr.errors import BadRequest, DsocrError, TooLarge
from dsocr.server import problems
from dsocr.server.problems import ClientGone, ForeignOrigin, SlowUpload, UnknownHost

logger = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # component libraries set styles at run time
        "img-src 'self' blob: data:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NO_REFUSALS = (404, 405, 409, 500)
"""Statuses of errors that are not counted as refused work."""
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LINGER_SECONDS = 2.0
"""How long a refused upload is still swallowed, so that the client gets to read the refusal."""
LINGER_BYTES = 4 << 20


class RequestIdMiddleware:
    """Outermost: gives each request its id, each answer its headers, and each bug a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.monotonic()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except ClientGone:
            logger.info("request %s: the client hung up", request_id)
        except Exception:
            logger.exception("request %s failed", request_id)
            if status:  # the answer has begun: cutting it short is all that is left
                raise
            await problems.internal_error(scope)(scope, receive, send_with_headers)
        else:
            seconds = time.monotonic() - started
            logger.debug("request %s: %d in %.3f s", request_id, status, seconds)
            _count(scope, status, seconds)


def _count(scope: Scope, status: int, seconds: float) -> None:
    """Counts an answer, and a refusal by its error code."""
    service = getattr(scope["app"].state, "service", None)
    if service is None:  # the app is not started
        return
    path = getattr(scope.get("route"), "path", "other")
    service.metrics.observe_request(path, scope["method"], status, seconds)
    code = scope["state"].get("error_code")
    if code is not None and status not in _NO_REFUSALS:
        service.metrics.count_rejection(code)


class HostMiddleware:
    """With a list of host names, any other is answered 421: no page rebinds its name to us."""

    def __init__(self, app: ASGIApp, *, allowed: tuple[str, ...]) -> None:
        self.app = app
        self.allowed = tuple(name.lower() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.allowed and not self._knows(scope):
            await problems.answer(UnknownHost(), scope)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        host = Headers(scope=scope).get("host", "").lower()
        name = re.sub(r":\d+$", "", host)
        return any(
            name == allowed or (allowed.startswith("*.") and name.endswith(allowed[1:]))
            for allowed in self.allowed
        )


class OriginMiddleware:
    """With a list of origins, a page that is not on it may not change anything."""

    def __init__(self, app: ASGIApp, *, allowed: tuple[str, ...]) -> None:
        self.app = app
        self.allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_foreign(scope):
            await problems.answer(ForeignOrigin(), scope)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_foreign(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None or "*" in self.allowed or scope["method"] in _SAFE_METHODS:
            return False
        own = origin.partition("://")[2] == headers.get("host")  # a proxy may speak TLS for us
        return origin not in self.allowed and not own


class Cors(CORSMiddleware):
    """Whose refusals look like all others."""

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        return answer if answer.status_code == 200 else _RefusedPreflight(answer)


class _RefusedPreflight(Response):
    def __init__(self, refusal: Response) -> None:
        super().__init__(status_code=refusal.status_code)
        self._words = bytes(refusal.body).decode()
        self._vary = refusal.headers.get("vary", "Origin")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = problems.answer(BadRequest(f"{self._words}."), scope)
        answer.headers["Vary"] = self._vary
        await answer(scope, receive, send)


class BodyLimitMiddleware:
    """Bodies end at their limit and come at a decent rate; counted here, whatever was announced.

    `overhead` is what a form may weigh beside its file. An answer given before the whole body was
    read closes the connection, after swallowing a little more: a reset would take the answer from
    the client's hands.
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
        if not body.expected(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        send = body.closing(send)
        try:
            body.check_announced(Headers(scope=scope))
        except DsocrError as error:
            await problems.answer(error, scope)(scope, receive, send)
            return
        await self.app(scope, body.receive, send)


class _Body:
    """One request's body on its way in."""

    def __init__(
        self, receive: Receive, limit: int, overhead: int, window_seconds: float, window_bytes: int
    ) -> None:
        self._receive = receive
        self._limit = limit
        self._most = limit + overhead
        self._window_seconds = window_seconds
        self._window_bytes = window_bytes
        self._window_start = 0
        self._waited = 0.0
        """Seconds of this window spent waiting for the client; what the service does between two
        calls of `receive`, such as starting its engine, does not count."""
        self._count = 0
        self._ended = False

    @staticmethod
    def expected(headers: Headers) -> bool:
        return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"

    def check_announced(self, headers: Headers) -> None:
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._most:
            raise self._too_large()

    async def receive(self) -> Message:
        """The next piece. Raises `TooLarge` or `SlowUpload`; after the end it waits freely."""
        if self._ended:
            return await self._receive()
        began = time.monotonic()
        try:
            left = max(0.0, self._window_seconds - self._waited)
            message = await asyncio.wait_for(self._receive(), left)
        except asyncio.TimeoutError:
            raise SlowUpload() from None
        self._waited += time.monotonic() - began
        self._take(message)
        if self._count > self._most:
            raise self._too_large()
        return message

    def closing(self, send: Send) -> Send:
        """`send` that ends the connection when the body was not read to its end."""

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
                await self._linger()
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        return send_and_close

    async def _linger(self) -> None:
        start = self._count
        deadline = time.monotonic() + LINGER_SECONDS
        while not self._ended and self._count - start < LINGER_BYTES:
            try:
                left = max(0.0, deadline - time.monotonic())
                self._take(await asyncio.wait_for(self._receive(), left))
            except asyncio.TimeoutError:
                return

    def _take(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._ended = True
            return
        self._count += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self._count - self._window_start >= self._window_bytes:
            self._window_start, self._waited = self._count, 0.0

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The request is larger than {self._limit / (1 << 20):.4g} MiB.")
