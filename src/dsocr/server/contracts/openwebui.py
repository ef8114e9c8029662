"""Open WebUI's external document loader: `PUT /process`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import unquote

from fastapi import Request, Response
from pydantic import BaseModel, Field

from dsocr.errors import NoText
from dsocr.exports.running_heads import without_running_heads
from dsocr.server.contracts.body import LargeJson, max_file_bytes
from dsocr.server.contracts.documents import (
    READ_ERRORS,
    admitted_reader,
    read_all,
    read_options,
    received_raw,
)
from dsocr.server.contracts.reading import Reading
from dsocr.server.contracts.tasks import shape_of_detail
from dsocr.server.deps import Owner, RunningService, locked_router
from dsocr.server.read_now import ReadRequest
from dsocr.server.route_attributes import ErrorInfo, body_limit, error_shape
from dsocr.server.schemas import errors as schemas
from dsocr.types import ReadOptions

router = locked_router("open webui")


class OpenWebuiErrorAnswer(BaseModel):
    detail: str


class OpenWebuiPage(BaseModel):
    page_content: str = Field(description="The page as markdown")
    metadata: dict[str, Any]


def open_webui_error(error: ErrorInfo) -> dict[str, Any]:
    return shape_of_detail(error.message)


@router.put(
    "/process",
    response_model=list[OpenWebuiPage],
    summary="Open WebUI: external document loader",
    responses=schemas.error_answers(*READ_ERRORS, model=OpenWebuiErrorAnswer),
)
@error_shape(open_webui_error)
@body_limit(max_file_bytes)
async def process(request: Request, service: RunningService, owner: Owner) -> Response:
    """The body is the file; `X-Filename` has its name, percent-encoded. A document an entry a
    page; 422 for one without text."""
    async with AsyncExitStack() as stack:
        limit = max_file_bytes(service.settings)
        reader = await admitted_reader(request, service, owner, limit, stack)
        name = unquote(request.headers.get("x-filename", ""))
        upload = await received_raw(request, name, service.settings, stack)
        options, _ = read_options(service.settings)
        document = ReadRequest(upload, ReadOptions(options))
        [reading] = await read_all(request, reader, [document])
        pages = _pages(reading)
    if not pages:
        raise NoText()
    return LargeJson(pages)


def _pages(reading: Reading) -> list[dict[str, Any]]:
    """Those with text. A page that failed is left out: its message is no text of the document."""
    document = without_running_heads(reading.document, "omit")
    total = len(document.pages)
    shared = {"source": document.name, "total_pages": total, "engine": document.engine}
    return [
        {
            "page_content": page.markdown,
            "metadata": shared | {"page": number, "page_label": number + 1},
        }
        for page, number in zip(document.pages, reading.numbers, strict=True)
        if page.error is None and page.markdown.strip()
    ]
