"""`POST /api/ocr`: one document in, its text out, at once or as a stream of events."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from starlette.responses import JSONResponse

from dsocr.config import MIB
from dsocr.errors import DsocrError, InvalidField, TooManyPages
from dsocr.pages.source import open_document
from dsocr.pipeline.events import OnEvent, PageEvent
from dsocr.pipeline.page_ranges import page_indices
from dsocr.pipeline.pipeline import PageSource, Pipeline, check_options
from dsocr.server import problems
from dsocr.server.admission import Ticket
from dsocr.server.deps import RunningService, Service, locked_router, until_gone
from dsocr.server.forms import (
    FORM_OVERHEAD_BYTES,
    announced_bytes,
    check_engine,
    checked,
    options_of,
)
from dsocr.server.route_attributes import body_limit
from dsocr.server.schemas import OCR_REQUEST_BODY, OcrAnswer, OcrForm, error_answers
from dsocr.server.sse import Emit, EventStream, Work
from dsocr.server.uploads import Form, FormLimits, Upload, received_form
from dsocr.server.wire import EventWire, ocr_answer
from dsocr.types import Document, OcrOptions

router = locked_router("reading")


@router.post(
    "/api/ocr",
    response_model=OcrAnswer,
    summary="Read an image or a PDF",
    responses=error_answers(400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504, 507),
    openapi_extra=OCR_REQUEST_BODY,
)
@body_limit(lambda settings: int(settings.server.max_image_mb * MIB))
async def read_document(request: Request, service: RunningService) -> Response:
    """Answers with the text of the whole document, or with `Accept: text/event-stream` with
    events while it is read."""
    async with AsyncExitStack() as stack:
        reading = await _take_in(request, service, stack)
        if _wants_events(request):
            return EventStream(
                reading.streamed(stack.pop_all(), request),
                heartbeat_seconds=service.settings.server.heartbeat_seconds,
            )
        document = await until_gone(request.receive, reading.read())
    _raise_if_nothing_was_read(document)
    return JSONResponse(reading.answer(document, request))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One accepted document, ready to be read."""

    service: Service
    ticket: Ticket
    pipeline: Pipeline
    source: PageSource
    upload: Upload
    options: OcrOptions
    pages: list[int]

    async def read(self, on_event: OnEvent | None = None) -> Document:
        """Raises `QueueFull` when its first page has not begun in time."""

        def watch(event: PageEvent) -> None:
            self.ticket.running = True
            if on_event is not None:
                on_event(event)

        work = asyncio.ensure_future(
            self.pipeline.run(self.source, self.options, pages=self.pages, on_event=watch)
        )
        try:
            seconds = self.service.settings.server.queue_seconds
            await asyncio.wait({work}, timeout=seconds)
            if not work.done() and not self.ticket.running:
                raise self.service.door.turned_away(f"No place became free within {seconds:g} s.")
            return await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    def answer(self, document: Document, request: Request) -> dict[str, Any]:
        return ocr_answer(
            document,
            file_name=self.upload.name,
            file_size=self.upload.size,
            milliseconds=self.ticket.seconds * 1000,
            request_id=problems.request_id_of(request.scope),
        )

    def streamed(self, stack: AsyncExitStack, request: Request) -> Work:
        """The same as work for an `EventStream`; the stack holds the upload and the place."""

        async def work(emit: Emit) -> None:
            wire = EventWire(len(self.pages))
            async with stack:
                try:
                    document = await self.read(lambda event: emit(*wire.of(event)))
                    _raise_if_nothing_was_read(document)
                except DsocrError as error:
                    emit("error", problems.error_body(error, request.scope))
                else:
                    emit("done", self.answer(document, request))

        return work


async def _take_in(request: Request, service: Service, stack: AsyncExitStack) -> _Reading:
    """Everything up to the first page: a place, the engine, the form, the opened file."""
    settings = service.settings
    max_file_bytes = int(settings.server.max_image_mb * MIB)
    ticket = stack.enter_context(
        service.door.enter(announced_bytes(request, max_file_bytes + FORM_OVERHEAD_BYTES))
    )
    pipeline, info = await service.host.pipeline(settings.server.start_wait_seconds)
    limits = FormLimits(1, max_file_bytes, settings.server.max_form_fields)
    form = await stack.enter_async_context(received_form(request, settings.runs_dir, limits))
    fields = checked(OcrForm, form.fields)
    options = options_of(fields, settings)
    check_engine(fields.engine, service)
    check_options(options, info)
    upload = _the_file(form)
    source = await open_document(
        upload.path, name=upload.name, sandbox=service.host.sandbox, password=fields.password
    )
    stack.push_async_callback(source.close)
    pages = (
        page_indices(fields.pages, source.num_pages) if fields.pages else range(source.num_pages)
    )
    if len(pages) > settings.server.max_pages:
        raise TooManyPages(
            f"{len(pages)} pages are more than {settings.server.max_pages}. "
            "Choose fewer with `pages`, or send the document as a job: POST /api/jobs."
        )
    return _Reading(service, ticket, pipeline, source, upload, options, list(pages))


def _the_file(form: Form) -> Upload:
    uploads = form.files.get("image") or form.files.get("file")
    if not uploads:
        raise InvalidField("image: the file is missing")
    if uploads[0].size == 0:
        raise InvalidField("image: the file is empty")
    return uploads[0]


def _wants_events(request: Request) -> bool:
    return "text/event-stream" in request.headers.get("accept", "").lower()


def _raise_if_nothing_was_read(document: Document) -> None:
    """A document of which no page could be read is an error: its first page's."""
    failures = [page.error for page in document.pages]
    first = failures[0] if failures else None
    if first is not None and all(failures):
        raise problems.PageFailed(first)
