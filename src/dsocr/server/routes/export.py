"""`POST /api/export`: an uploaded result as a file. Nothing is stored."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import BinaryIO

from fastapi import Request, Response
from pydantic import ValidationError

from dsocr.errors import InvalidField
from dsocr.exports import format_of, public_name, write
from dsocr.exports.options import ExportOptions
from dsocr.pages.page_images import ExportImages
from dsocr.pages.source import open_document
from dsocr.server.deps import RunningService, locked_router
from dsocr.server.download import download
from dsocr.server.forms import FORM_OVERHEAD_BYTES, max_body_bytes
from dsocr.server.received.uploaded_result import document_of
from dsocr.server.received.uploads import Form, FormLimits, received_form
from dsocr.server.route_attributes import body_limit
from dsocr.server.schemas.errors import error_answers
from dsocr.server.schemas.export import ExportFields
from dsocr.server.schemas.uploaded_result import EXPORT_REQUEST_BODY, UploadedResult

router = locked_router("reading")

MAX_BYTES = 64 << 20
"""Of an uploaded result and its document."""


@router.post(
    "/api/export",
    summary="A result as a file",
    response_class=Response,
    responses=error_answers(400, 401, 403, 408, 413, 415, 422, 429, 507),
    openapi_extra=EXPORT_REQUEST_BODY,
)
@body_limit(lambda settings: MAX_BYTES)
async def export_result(request: Request, service: RunningService) -> Response:
    """Formats with figures or page images need the document in addition to the result.

    `redact` has a pattern a line; it is also read from the query, where it may be repeated.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(
            service.admission.admit(max_body_bytes(request, MAX_BYTES + FORM_OVERHEAD_BYTES))
        )
        limits = FormLimits(2, MAX_BYTES, service.settings.server.max_form_fields)
        form = await stack.enter_async_context(
            received_form(request, service.settings.runs_dir, limits)
        )
        key = form.fields.get("format", "")
        format_of(key)
        options = _options(form, request.query_params.getlist("redact"))
        document = document_of(await asyncio.to_thread(_uploaded_result, form))
        images = None
        if uploads := form.files.get("file"):
            source = await open_document(
                uploads[0].path,
                name=uploads[0].name,
                sandbox=service.host.sandbox,
                password=form.fields.get("password") or None,
            )
            stack.push_async_callback(source.close)
            images = ExportImages(source, None, asyncio.get_running_loop())

        async def write_export(out: BinaryIO) -> None:
            await asyncio.to_thread(write, document, key, out, images, options)

        name = public_name(document.name, options)
        return await download(write_export, name, key, service.settings.runs_dir)


def _options(form: Form, redact: list[str]) -> ExportOptions:
    """Raises `InvalidField`. An empty field counts as missing. `redact`: patterns of the query."""
    given: dict[str, object] = {
        name: text for name in ExportFields.model_fields if (text := form.fields.get(name))
    }
    lines = form.fields.get("redact", "").splitlines()
    given["redact"] = [*redact, *(line for line in lines if line.strip())]
    try:
        fields = ExportFields.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidField(f"{first['loc'][0]}: {first['msg']}") from error
    return fields.options()


def _uploaded_result(form: Form) -> UploadedResult:
    """Raises `InvalidField`."""
    uploads = form.files.get("result")
    text = uploads[0].path.read_bytes() if uploads else form.fields.get("result", "").encode()
    if not text:
        raise InvalidField("result: the field is missing")
    try:
        return UploadedResult.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise InvalidField(f"result: {field}: {first['msg']}") from error
