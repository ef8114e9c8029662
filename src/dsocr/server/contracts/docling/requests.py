"""Requests of docling-serve, forms and JSON alike, as what to read and how to write it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from fastapi import Request

from dsocr.config import Settings
from dsocr.errors import InvalidField
from dsocr.server.contracts.body import json_body_limit, max_file_bytes, received_json, stored_data
from dsocr.server.contracts.docling.options import (
    Chosen,
    ChunkOptions,
    ConvertOptions,
    SourceRequest,
    split_fields,
    target_of,
)
from dsocr.server.contracts.docling.output import DEFAULT_CHUNK_TOKENS
from dsocr.server.contracts.documents import (
    form_options,
    job_json_limit,
    max_job_bytes,
    pages_between,
    read_options,
    received_files,
    validated,
)
from dsocr.server.deps import Service
from dsocr.server.received.uploads import Upload
from dsocr.types import OcrOptions


@dataclass(frozen=True, slots=True)
class Conversion:
    """What to read, and how to write it."""

    uploads: Sequence[Upload]
    options: OcrOptions
    pages: Sequence[str | None]
    """Of each upload."""
    chosen: Chosen
    ignored: Sequence[str]


def body_limit_of(settings: Settings, *, is_json: bool, for_job: bool) -> int:
    if is_json:
        return job_json_limit(settings) if for_job else json_body_limit(settings)
    return max_job_bytes(settings) if for_job else max_file_bytes(settings)


async def received_form_conversion(
    request: Request, service: Service, stack: AsyncExitStack, *, chunks: bool, for_job: bool
) -> Conversion:
    form, uploads = await received_files(
        request, ("files", "file"), service, stack, for_job=for_job
    )
    kind = form.fields.get("target_type") or "inbody"
    include = form.fields.get("include_converted_doc", "").lower() in ("true", "1")
    for name in ("target_type", "include_converted_doc"):
        form.values.pop(name, None)
    if not chunks:
        options = form_options(ConvertOptions, form)
        return await _conversion(uploads, options, None, kind, "target_type", include, service)
    options = form_options(ConvertOptions, split_fields(form, "convert_"))
    divided = form_options(ChunkOptions, split_fields(form, "chunking_"))
    return await _conversion(uploads, options, divided, kind, "target_type", include, service)


async def received_json_conversion(
    request: Request, service: Service, stack: AsyncExitStack, *, chunks: bool, for_job: bool
) -> Conversion:
    body = await received_json(request, SourceRequest)
    files = body.files(fetches_urls=bool(service.settings.server.url_hosts))
    if len(files) > service.settings.jobs.max_files:
        raise InvalidField(f"sources: at most {service.settings.jobs.max_files} in one request")
    uploads = [
        await stored_data(data, name, "base64_string", service.settings, stack)
        for name, data in files
    ]
    given = body.convert_options if chunks else body.options
    options = validated(ConvertOptions, given)
    divided = validated(ChunkOptions, body.chunking_options) if chunks else None
    include = body.include_converted_doc
    conversion = await _conversion(
        uploads, options, divided, body.target.kind, "target", include, service
    )
    return dataclasses.replace(conversion, ignored=[*conversion.ignored, *(body.model_extra or {})])


async def _conversion(
    uploads: Sequence[Upload],
    options: ConvertOptions,
    divided: ChunkOptions | None,
    target: str,
    field: str,
    include_document: bool,
    service: Service,
) -> Conversion:
    chosen = options.chosen(target_of(target, field))
    ignored = options.ignored()
    if divided is not None:
        tokens = divided.max_tokens or DEFAULT_CHUNK_TOKENS
        chosen.chunk_tokens, chosen.include_converted_doc = tokens, include_document
        ignored += divided.ignored()
    read, unknown = read_options(service.settings, options.ocr_lang or ())
    if unknown:
        ignored.append("ocr_lang")
    first, last = options.first_and_last()
    pages = [await pages_between(upload, first, last, service) for upload in uploads]
    return Conversion(uploads, read, pages, chosen, ignored)
