"""Refuses unknown hosts and foreign origins; CORS."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dsocr.errors import BadRequest, DsocrError
from dsocr.server import problems
from dsocr.server.problems import ForeignOrigin, UnknownHost

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_REQUESTS = ("http", "websocket")


class HostMiddleware:
    """With a list of host names, others are answered with 421: prevents DNS rebinding."""

    def __init__(self, app: ASGIApp, *, allowed: tuple[str, ...]) -> None:
        self.app = app
        self.allowed = tuple(name.lower() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in _REQUESTS and self.allowed and not self._is_allowed(scope):
            await _refuse(UnknownHost(), scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        host = Headers(scope=scope).get("host", "").lower()
        name = re.sub(r":\d+$", "", host)
        return any(
            name == allowed or (allowed.startswith("*.") and name.endswith(allowed[1:]))
            for allowed in self.allowed
        )


class OriginMiddleware:
    """With a list of origins, requests of other pages that change something are refused."""

    def __init__(self, app: ASGIApp, *, allowed: tuple[str, ...]) -> None:
        self.app = app
        self.allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in _REQUESTS and self._is_foreign(scope):
            await _refuse(ForeignOrigin(), scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_foreign(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None or "*" in self.allowed or scope.get("method") in _SAFE_METHODS:
            return False
        own = origin.partition("://")[2] == headers.get(
            "host"
        )  # the scheme may differ behind a TLS proxy
        return origin not in self.allowed and not own


async def _refuse(error: DsocrError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await problems.response_of(error, scope)(scope, receive, send)


class Cors(CORSMiddleware):
    """CORS whose refusals have the shape of all errors."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        return response if response.status_code == 200 else _RefusedPreflight(response)


class _RefusedPreflight(Response):
    def __init__(self, refusal: Response) -> None:
        super().__init__(status_code=refusal.status_code)
        self._message = bytes(refusal.body).decode()
        self._vary = refusal.headers.get("vary", "Origin")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = problems.response_of(BadRequest(f"{self._message}."), scope)
        response.headers["Vary"] = self._vary
        await response(scope, receive, send)
