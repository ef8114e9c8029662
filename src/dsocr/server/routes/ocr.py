"""`POST /api/ocr`: recognizes one document and returns its text, at once or as events."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from fastapi import Request, Response
from starlette.responses import JSONResponse

from dsocr.config import MIB, Settings
from dsocr.errors import DsocrError, InvalidField
from dsocr.server import problems
from dsocr.server.contracts.body import stored_data
from dsocr.server.deps import RunningService, Service, locked_router, unless_disconnected
from dsocr.server.forms import (
    FORM_OVERHEAD_BYTES,
    max_body_bytes,
    model_of,
    options_of,
    validate_form,
)
from dsocr.server.read_now import OpenedRead, ReadRequest, admit
from dsocr.server.received.uploads import Form, FormLimits, Upload, received_form
from dsocr.server.route_attributes import body_limit
from dsocr.server.schemas.errors import error_answers
from dsocr.server.schemas.ocr import OCR_REQUEST_BODY, OcrAnswer, ReadForm
from dsocr.server.serialize import EventSerializer, serialize_document
from dsocr.server.sse import Emit, EventStream, Work
from dsocr.types import Document

router = locked_router("reading")

FILE_FIELDS = ("image", "file")


def max_file_bytes(settings: Settings) -> int:
    return int(settings.server.max_image_mb * MIB)


@router.post(
    "/api/ocr",
    response_model=OcrAnswer,
    summary="Read an image or a PDF",
    responses=error_answers(400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504, 507),
    openapi_extra=OCR_REQUEST_BODY,
)
@body_limit(max_file_bytes)
async def read_document(request: Request, service: RunningService) -> Response:
    """Returns the text of the whole document, or with `Accept: text/event-stream` events while it
    is recognized."""
    async with AsyncExitStack() as stack:
        opened = await _open(request, service, stack)
        if _accepts_events(request):
            return EventStream(
                _event_work(opened, stack.pop_all(), request),
                heartbeat_seconds=service.settings.server.heartbeat_seconds,
            )
        document = await unless_disconnected(request.receive, opened.run())
    return JSONResponse(_serialize(document, opened, request))


async def _open(request: Request, service: Service, stack: AsyncExitStack) -> OpenedRead:
    """Receives the form; `stack` holds the admission, the uploaded file and the opened source."""
    settings = service.settings
    limit = max_file_bytes(settings)
    admitted = await admit(service, max_body_bytes(request, limit + FORM_OVERHEAD_BYTES), stack)
    limits = FormLimits(1, limit, settings.server.max_form_fields)
    form = await stack.enter_async_context(received_form(request, settings.runs_dir, limits))
    return await admitted.open(await _read_request(form, service, stack), stack)


async def _read_request(form: Form, service: Service, stack: AsyncExitStack) -> ReadRequest:
    """Raises `InvalidField`, `UnsupportedMode` and what `stored_data` raises."""
    fields = validate_form(ReadForm, form, FILE_FIELDS)
    read = options_of(fields, service.settings)
    model = model_of(fields, service)
    if fields.url and not any(map(form.files.get, FILE_FIELDS)):
        file = await stored_data(fields.url, "document", "url", service.settings, stack)
    else:
        file = _uploaded_file(form)
    return ReadRequest(file, read, fields.headers, model)


def _uploaded_file(form: Form) -> Upload:
    uploads = form.files.get("image") or form.files.get("file")
    if not uploads:
        raise InvalidField("image: the file is missing")
    if uploads[0].size == 0:
        raise InvalidField("image: the file is empty")
    return uploads[0]


def _event_work(opened: OpenedRead, stack: AsyncExitStack, request: Request) -> Work:
    """The work of an `EventStream`, which closes `stack` when it ends."""

    async def work(emit: Emit) -> None:
        events = EventSerializer(len(opened.pages))
        async with stack:
            try:
                document = await opened.run(lambda event: emit(*events.serialize(event)))
            except DsocrError as error:
                emit("error", problems.error_body(error, request.scope))
            else:
                emit("done", _serialize(document, opened, request))

    return work


def _serialize(document: Document, opened: OpenedRead, request: Request) -> dict[str, Any]:
    return serialize_document(
        document,
        headers=opened.request.headers,
        file_name=opened.request.file.name,
        file_size=opened.request.file.size,
        milliseconds=opened.seconds * 1000,
        request_id=problems.request_id_of(request.scope),
    )


def _accepts_events(request: Request) -> bool:
    return "text/event-stream" in request.headers.get("accept", "").lower()
