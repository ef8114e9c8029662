"""LiteParse's OCR server: `POST /ocr`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, Field

from dsocr.errors import BadRequest
from dsocr.exports.layout.lines import regions_of
from dsocr.server.contracts.body import LargeJson, ignored_headers, max_file_bytes
from dsocr.server.contracts.documents import (
    READ_ERRORS,
    FormOptions,
    admitted_reader,
    read_all,
    received_options,
)
from dsocr.server.deps import Owner, RunningService, locked_router
from dsocr.server.read_now import ReadRequest
from dsocr.server.route_attributes import ErrorInfo, body_limit, error_shape
from dsocr.server.schemas import errors as schemas
from dsocr.types import PageResult, ReadOptions

router = locked_router("liteparse")

DEFAULT_LANGUAGES = ("en", "eng")
"""What the client sends if no language is chosen: the engine finds the languages of the page."""


class LiteparseErrorAnswer(BaseModel):
    error: str


class LiteparseLine(BaseModel):
    text: str
    bbox: list[int] = Field(description="Left, top, right, bottom in pixels")
    confidence: float


class LiteparseAnswer(BaseModel):
    results: list[LiteparseLine]


class LiteparseOptions(FormOptions):
    language_field = "language"
    language: str = ""

    def languages(self) -> list[str]:
        return [] if self.language in DEFAULT_LANGUAGES else super().languages()


def liteparse_error(error: ErrorInfo) -> dict[str, Any]:
    return {"error": error.message}


@router.post(
    "/ocr",
    response_model=LiteparseAnswer,
    summary="LiteParse: the lines of an image",
    responses=schemas.error_answers(*READ_ERRORS, model=LiteparseErrorAnswer),
)
@error_shape(liteparse_error)
@body_limit(max_file_bytes)
async def ocr(request: Request, service: RunningService, owner: Owner) -> Response:
    """A form with `file`, an image of one page; lines in reading order."""
    async with AsyncExitStack() as stack:
        limit = max_file_bytes(service.settings)
        reader = await admitted_reader(request, service, owner, limit, stack)
        form = await received_options(request, LiteparseOptions, "file", service, stack)
        document = ReadRequest(form.uploads[0], ReadOptions(form.options))
        [reading] = await read_all(request, reader, [document])
    if len(reading.document.pages) != 1:
        raise BadRequest("file: send one page; the answer has no page numbers")
    answer = {"results": _lines(reading.document.pages[0])}
    return LargeJson(answer, headers=ignored_headers(form.ignored))


def _lines(page: PageResult) -> list[dict[str, Any]]:
    return [
        {
            "text": line.text,
            "bbox": list(line.box.pixels(page.width, page.height)),
            "confidence": 1.0 if line.confidence is None else round(line.confidence, 4),
        }
        for region in regions_of(page)
        for line in region.lines
    ]
