"""`/mcp`: the MCP server over streamable HTTP, in the name of each caller's key.

Its tools ask this app by its own routes, in this process: keys, owners and limits are theirs. The
SDK is imported with the first request.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
from importlib.util import find_spec
from typing import Any

import httpx2 as httpx
from fastapi import FastAPI, Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dsocr.config import ServerConfig, Settings
from dsocr.mcp.service import TIMEOUT, Service
from dsocr.mcp.sources import allowed_paths
from dsocr.server.contracts.body import json_body_limit
from dsocr.server.deps import KEY_HEADERS
from dsocr.server.forms import FORM_OVERHEAD_BYTES
from dsocr.server.problems import ForeignOrigin, McpOff, UnknownHost

PASSED_HEADERS = ("authorization", *KEY_HEADERS, "host")
"""Of a caller's request to the app's own routes."""


class McpEndpoint:
    """The MCP server of one app, started by the first request."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self._settings = settings
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(
            transport=transport, base_url="http://localhost", timeout=TIMEOUT
        )
        self._manager: Any = None
        self._running: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._stop = asyncio.Event()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `McpOff` without the SDK."""
        if self._running is None:
            if find_spec("mcp") is None:
                raise McpOff()
            self._running = asyncio.create_task(self._run())
        await self._ready.wait()
        await self._manager.handle_request(scope, receive, send)

    async def close(self) -> None:
        self._stop.set()
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)
        await self._http.aclose()

    async def _run(self) -> None:
        """Keeps the session manager until `close`: its tasks belong to one task."""
        from mcp.server.transport_security import TransportSecuritySettings

        from dsocr.mcp.server import create_server

        root = self._settings.server.mcp_root
        paths = allowed_paths([root] if root else [], any_path=False)
        server = create_server(self._service, paths)
        server.streamable_http_app(  # makes the session manager; the app itself is not served
            stateless_http=True,
            max_request_body_size=json_body_limit(self._settings) + FORM_OVERHEAD_BYTES,
            transport_security=TransportSecuritySettings(  # the route's own: `check_browser`
                enable_dns_rebinding_protection=False
            ),
        )
        self._manager = server.session_manager
        async with self._manager.run():
            self._ready.set()
            await self._stop.wait()

    def _service(self, request: Request) -> Service:
        given = {name: request.headers[name] for name in PASSED_HEADERS if name in request.headers}
        return Service(self._http, given)


class McpResponse(Response):
    """Lets the MCP server answer the request, whose body was not read yet."""

    def __init__(self, endpoint: McpEndpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint.handle(scope, receive, send)


def check_browser(headers: Headers, config: ServerConfig, *, needs_key: bool) -> None:
    """Refuses other web pages, also those that reach this machine by a name of their own.

    The protocol demands it. Where a key is required, the service's rule for origins is enough: a
    page that has no key is refused. Raises `ForeignOrigin` and `UnknownHost`.
    """
    origin = headers.get("origin")
    if origin is None or needs_key:
        return
    host = headers.get("host", "")
    if origin not in config.allowed_origins and origin.partition("://")[2] != host:
        raise ForeignOrigin()
    name = re.sub(r":\d+$", "", host).strip("[]").lower()
    if name != "localhost" and not _is_address(name) and not config.allowed_hosts:
        raise UnknownHost()


def _is_address(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False
