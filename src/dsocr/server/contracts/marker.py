"""Marker: its own server (`POST /marker/upload`) and datalab's form (`POST /api/v1/marker`)."""

from __future__ import annotations

import asyncio
import base64
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from fastapi import Request, Response
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from dsocr.errors import InvalidField
from dsocr.exports import render
from dsocr.exports.figures import crop_figures
from dsocr.exports.markdown import page_text
from dsocr.exports.options import ExportOptions
from dsocr.exports.running_heads import without_running_heads
from dsocr.server.contracts.body import LargeJson, ignored_headers, max_file_bytes
from dsocr.server.contracts.documents import (
    READ_ERRORS,
    FormOptions,
    admit_job,
    admitted_reader,
    max_job_bytes,
    read_all,
    received_options,
)
from dsocr.server.contracts.reading import Reading
from dsocr.server.contracts.tasks import (
    failure_message,
    parse_task_id,
    readings_of,
    submit,
    task_id,
)
from dsocr.server.deps import Owner, RunningService, locked_router
from dsocr.server.read_now import ReadRequest
from dsocr.server.route_attributes import ErrorInfo, body_limit, error_shape
from dsocr.server.schemas import errors as schemas
from dsocr.types import ReadOptions

router = locked_router("marker")

RULE = "-" * 48
"""After the number of a page in paginated markdown."""


class MarkerErrorAnswer(BaseModel):
    success: bool
    error: str


class Chosen(BaseModel):
    """How the result is written. Part of the id of a datalab request."""

    output_format: Literal["markdown", "html"] = "markdown"
    paginate: bool = False
    images: bool = True


class MarkerOptions(FormOptions):
    """Of both forms."""

    language_field = "langs"
    no_effect: ClassVar[frozenset[str]] = frozenset(
        ("force_ocr", "use_llm", "strip_existing_ocr", "format_lines", "skip_cache")
        + ("llm_service", "gemini_api_key", "openai_api_key", "groq_api_key")
    )
    page_range: Annotated[str, Field(max_length=1000)] | None = None
    """From 0, such as `0,5-10`."""
    output_format: str = "markdown"
    paginate: bool = False
    paginate_output: bool = False
    disable_image_extraction: bool = False
    langs: str = ""
    force_ocr: bool = False
    use_llm: bool = False
    strip_existing_ocr: bool = False
    format_lines: bool = False
    skip_cache: bool = False

    def chosen(self) -> Chosen:
        """Raises `InvalidField`."""
        if self.output_format not in ("markdown", "html"):
            raise InvalidField("output_format: only markdown and html can be given")
        return Chosen(
            output_format="html" if self.output_format == "html" else "markdown",
            paginate=self.paginate or self.paginate_output,
            images=not self.disable_image_extraction,
        )

    def pages(self) -> str | None:
        """Page ranges from 1. Raises `InvalidField`."""
        if self.page_range is None:
            return None
        try:
            parts = [part.strip().split("-") for part in self.page_range.split(",")]
            return ",".join("-".join(str(int(number) + 1) for number in part) for part in parts)
        except ValueError as error:
            raise InvalidField("page_range: write pages from 0, such as 0,5-10") from error


def marker_error(error: ErrorInfo) -> dict[str, Any]:
    return {"success": False, "error": error.message}


marker_errors = error_shape(marker_error)
_answers = partial(schemas.error_answers, *READ_ERRORS, model=MarkerErrorAnswer)


@router.post(
    "/marker/upload", response_class=Response, summary="Marker: convert", responses=_answers()
)
@marker_errors
@body_limit(max_file_bytes)
async def convert(request: Request, service: RunningService, owner: Owner) -> Response:
    """A form with `file`."""
    async with AsyncExitStack() as stack:
        limit = max_file_bytes(service.settings)
        reader = await admitted_reader(request, service, owner, limit, stack)
        form = await received_options(request, MarkerOptions, "file", service, stack)
        chosen, pages = form.fields.chosen(), form.fields.pages()
        document = ReadRequest(form.uploads[0], ReadOptions(form.options, pages))
        [reading] = await read_all(request, reader, [document])
        output, images = await asyncio.to_thread(_output, reading, chosen)
    body = {
        "format": chosen.output_format,
        "output": output,
        "images": images,
        "metadata": _metadata(reading),
        "success": True,
    }
    return LargeJson(body, headers=ignored_headers(form.ignored))


@router.post(
    "/api/v1/marker",
    response_class=Response,
    summary="datalab: convert later",
    responses=_answers(),
)
@marker_errors
@body_limit(max_job_bytes)
async def convert_later(request: Request, service: RunningService, owner: Owner) -> Response:
    """A form with `file`; the answer has the URL of the result."""
    async with AsyncExitStack() as stack:
        await admit_job(request, service, max_job_bytes(service.settings), stack)
        form = await received_options(request, MarkerOptions, "file", service, stack, for_job=True)
        chosen, pages = form.fields.chosen(), form.fields.pages()
        job = await submit(service, owner, form.uploads[:1], form.options, pages)
    identity = task_id(job, chosen)
    url = f"{request.url.scheme}://{request.url.netloc}/api/v1/marker/{identity}"
    body = {"success": True, "error": None, "request_id": identity, "request_check_url": url}
    return JSONResponse(body, headers=ignored_headers(form.ignored))


@router.get(
    "/api/v1/marker/{request_id}",
    response_class=Response,
    summary="datalab: the result",
    responses=_answers(),
)
@marker_errors
async def check(request_id: str, service: RunningService, owner: Owner) -> Response:
    job_id, chosen = parse_task_id(request_id, Chosen)
    job = await service.jobs.get(job_id, owner)
    body: dict[str, Any] = {"output_format": chosen.output_format, "error": None}
    if not job.finished:
        return JSONResponse({**body, "status": "processing", "success": None})
    if job.status != "succeeded":
        failed = {"status": "failed", "success": False, "error": failure_message(job)}
        return JSONResponse(body | failed)
    [reading] = await readings_of(service, job)
    output, images = await asyncio.to_thread(_output, reading, chosen)
    found = {
        "status": "complete",
        "success": True,
        chosen.output_format: output,
        "images": images,
        "metadata": _metadata(reading),
        "page_count": len(reading.document.pages),
    }
    return LargeJson(body | found)


def _output(reading: Reading, chosen: Chosen) -> tuple[str, dict[str, str]]:
    """The text, and its figures by their path in it, as base64."""
    if chosen.output_format == "html":
        assets = reading.assets if chosen.images else None
        return render(reading.document, "html", assets).decode(), {}
    images: dict[str, str] = {}
    for page in reading.document.pages if chosen.images else ():
        for path, data in crop_figures(page, reading.assets).items():
            images[path] = base64.b64encode(data).decode()
    return _markdown(reading, chosen), images


def _markdown(reading: Reading, chosen: Chosen) -> str:
    if not chosen.paginate:
        options = ExportOptions(tables="markdown", breaks="none")
        return render(reading.document, "markdown", None, options).decode().strip()
    pages = without_running_heads(reading.document).pages
    return "".join(
        f"\n\n{{{number}}}{RULE}\n\n{page_text(page)}"
        for page, number in zip(pages, reading.numbers, strict=True)
    )


def _metadata(reading: Reading) -> dict[str, Any]:
    stats = [{"page_id": number, "text_extraction_method": "dsocr"} for number in reading.numbers]
    return {"table_of_contents": [], "page_stats": stats}
