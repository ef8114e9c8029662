"""`POST /api/export`: a result that the client holds, as a file. Nothing of it is kept."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import BinaryIO

from fastapi import Request, Response
from pydantic import ValidationError

from dsocr.errors import InvalidField
from dsocr.exports import format_of, write
from dsocr.pages.source import open_document
from dsocr.server.deps import RunningService, locked_router
from dsocr.server.download import download
from dsocr.server.forms import FORM_OVERHEAD_BYTES, announced_bytes
from dsocr.server.held import HeldImages, document_of
from dsocr.server.job_schemas import EXPORT_REQUEST_BODY, HeldResult
from dsocr.server.route_attributes import body_limit
from dsocr.server.schemas import error_answers
from dsocr.server.uploads import Form, FormLimits, received_form

router = locked_router("reading")

MAX_BYTES = 64 << 20
"""Of a result and the document it came from."""


@router.post(
    "/api/export",
    summary="A result as a file",
    response_class=Response,
    responses=error_answers(400, 401, 403, 408, 413, 415, 422, 429, 507),
    openapi_extra=EXPORT_REQUEST_BODY,
)
@body_limit(lambda settings: MAX_BYTES)
async def export_result(request: Request, service: RunningService) -> Response:
    """Formats that show figures or pages need the document beside the result."""
    async with AsyncExitStack() as stack:
        stack.enter_context(
            service.door.enter(announced_bytes(request, MAX_BYTES + FORM_OVERHEAD_BYTES))
        )
        limits = FormLimits(2, MAX_BYTES, service.settings.server.max_form_fields)
        form = await stack.enter_async_context(
            received_form(request, service.settings.runs_dir, limits)
        )
        key = form.fields.get("format", "")
        format_of(key)
        document = document_of(await asyncio.to_thread(_held, form))
        images = None
        if uploads := form.files.get("file"):
            source = await open_document(
                uploads[0].path, name=uploads[0].name, sandbox=service.host.sandbox
            )
            stack.push_async_callback(source.close)
            images = HeldImages(source, asyncio.get_running_loop())

        async def into(out: BinaryIO) -> None:
            await asyncio.to_thread(write, document, key, out, images)

        return await download(into, document.name, key, service.settings.runs_dir)


def _held(form: Form) -> HeldResult:
    uploads = form.files.get("result")
    text = uploads[0].path.read_bytes() if uploads else form.fields.get("result", "").encode()
    if not text:
        raise InvalidField("result: it is missing")
    try:
        return HeldResult.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidField(f"result: {place}: {first['msg']}") from error
