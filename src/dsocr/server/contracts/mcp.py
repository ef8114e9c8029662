"""The Model Context Protocol over streamable HTTP: `/mcp`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from dsocr.server.contracts.body import json_body_limit
from dsocr.server.deps import RunningService, locked_router
from dsocr.server.mcp_endpoint import McpEndpoint, McpResponse, check_browser
from dsocr.server.route_attributes import body_limit

router = locked_router("mcp")


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    try:
        yield
    finally:
        endpoint: McpEndpoint | None = getattr(app.state, "mcp", None)
        if endpoint is not None:
            await endpoint.close()


router.lifespan_context = _lifespan


@router.post("/mcp", include_in_schema=False)
@body_limit(json_body_limit)
async def mcp(request: Request, service: RunningService) -> Response:
    check_browser(request.headers, service.settings.server, needs_key=not service.keys.open)
    state = request.app.state
    if not hasattr(state, "mcp"):
        state.mcp = McpEndpoint(request.app, service.settings)
    return McpResponse(state.mcp)
