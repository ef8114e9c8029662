"""The outermost middleware: request ids, security headers, metrics, and a 500 for a bug."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dsocr import tracing
from dsocr.logs import REQUEST_ID, REQUESTS
from dsocr.server import problems
from dsocr.server.problems import ClientDisconnected

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
_NOT_REFUSALS = (404, 405, 409, 500)
"""Statuses of errors that are not counted as refused work."""


class RequestIdMiddleware:
    """Outermost: sets the request id and security headers, and answers a bug with a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        REQUEST_ID.set(request_id)
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        with tracing.span(scope["method"], kind="server", parent=headers) as span:
            await self._answer(scope, receive, send, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, span: tracing.Span) -> None:
        request_id = scope["state"]["request_id"]
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
        except ClientDisconnected:
            logger.info("request %s: the client disconnected", request_id)
            _count_abort(scope, "client_gone")
            return
        except asyncio.CancelledError:  # the service ends, and has waited long enough
            _count_abort(scope, "shutdown")
            raise
        except Exception:
            logger.exception("request %s failed", request_id)
            if status:  # the response has started: it can only be cut off
                raise
            await problems.internal_error(scope)(scope, receive, send_with_headers)
        seconds = time.monotonic() - started
        _log(scope, status, seconds)
        span.set(
            http__request__method=scope["method"],
            http__route=_route_of(scope),
            http__response__status_code=status,
            dsocr__request_id=request_id,
        )
        _count(scope, status, seconds)


def _route_of(scope: Scope) -> str:
    """The route's template, such as `/api/jobs/{job_id}`."""
    return getattr(scope.get("route"), "path", "other")


def _log(scope: Scope, status: int, seconds: float) -> None:
    fields = {
        "route": _route_of(scope),
        "method": scope["method"],
        "status": status,
        "code": scope["state"].get("error_code"),
        "ms": round(1000 * seconds, 1),
    }
    REQUESTS.info("request", extra=fields)


def _count_abort(scope: Scope, reason: str) -> None:
    service = getattr(scope["app"].state, "service", None)
    if service is not None:
        service.metrics.count_abort(reason)


def _count(scope: Scope, status: int, seconds: float) -> None:
    """Counts an answer, and a refusal by its error code."""
    service = getattr(scope["app"].state, "service", None)
    if service is None:  # the app is not started
        return
    service.metrics.observe_request(_route_of(scope), scope["method"], status, seconds)
    code = scope["state"].get("error_code")
    if code is not None and status not in _NOT_REFUSALS:
        service.metrics.count_rejection(code)
