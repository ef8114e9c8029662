"""The resources of the MCP server: documents that were read, their pages and page images."""

from __future__ import annotations

import json
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError

from dsocr.exports import FORMATS
from dsocr.mcp.results import resource_errors
from dsocr.mcp.service import Service
from dsocr.mcp.tools import ServiceOf

TEXT_FORMATS = tuple(known.key for known in FORMATS if known.is_text)


def add_resources(server: MCPServer[Any], service_of: ServiceOf) -> None:
    def service(context: Context[Any, Any]) -> Service:
        return service_of(context.request_context.request)

    @server.resource(
        "dsocr://documents/{document_id}/{format}",
        name="document",
        description=f"A document that was read as {', '.join(TEXT_FORMATS)}",
        mime_type="text/plain",
    )
    async def document(document_id: str, format: str, context: Context[Any, Any]) -> str:
        if format not in TEXT_FORMATS:
            raise ResourceError(f"{format[:40]}: choose one of {', '.join(TEXT_FORMATS)}.")
        with resource_errors():
            _, content = await service(context).export(document_id, format)
        return content.decode(errors="replace")

    @server.resource(
        "dsocr://documents/{document_id}/pages/{page}",
        name="page",
        description="A page, from 1, with its text, blocks, lines and boxes as JSON",
        mime_type="application/json",
    )
    async def page(document_id: str, page: str, context: Context[Any, Any]) -> str:
        with resource_errors():
            found = await service(context).page(document_id, _page_index(page))
        return json.dumps(found, ensure_ascii=False)

    @server.resource(
        "dsocr://documents/{document_id}/pages/{page}/image",
        name="page image",
        description="The picture of a page, from 1",
        mime_type="image/jpeg",
    )
    async def page_image(document_id: str, page: str, context: Context[Any, Any]) -> bytes:
        with resource_errors():
            return await service(context).page_image(document_id, _page_index(page))


def _page_index(page: str) -> int:
    """From 0. Raises `ResourceError`."""
    if not (page.isascii() and page.isdecimal() and 0 < len(page) < 8 and int(page)):
        raise ResourceError(f"{page[:40]}: pages are numbered from 1.")
    return int(page) - 1
