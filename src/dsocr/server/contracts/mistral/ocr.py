"""`POST /v1/ocr`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from fastapi import Request, Response

from dsocr.errors import InvalidField
from dsocr.options import build_options
from dsocr.server.contracts.body import (
    LargeJson,
    ignored_headers,
    json_body_limit,
    received_json,
    stored_data,
)
from dsocr.server.contracts.documents import admitted_reader
from dsocr.server.contracts.file_store import StoredFile
from dsocr.server.contracts.mistral.answer import serialize_reading
from dsocr.server.contracts.mistral.errors import error_answers, mistral_errors
from dsocr.server.contracts.mistral.files import file_store
from dsocr.server.contracts.mistral.request import DocumentUrl, FileId, OcrRequest
from dsocr.server.contracts.reading import DocumentReader, Read
from dsocr.server.deps import Owner, RunningService, Service, locked_router, unless_disconnected
from dsocr.server.read_now import ReadRequest
from dsocr.server.received.uploads import Upload
from dsocr.server.route_attributes import body_limit
from dsocr.types import ReadOptions

router = locked_router("mistral")


@router.post(
    "/v1/ocr",
    response_class=Response,
    summary="Mistral: OCR",
    responses=error_answers(400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504, 507),
)
@body_limit(json_body_limit)
@mistral_errors
async def recognize(request: Request, service: RunningService, owner: Owner) -> Response:
    """The pages of a document as markdown, with figures, tables, blocks and scores as asked."""
    async with AsyncExitStack() as stack:
        limit = json_body_limit(service.settings)
        reader = await admitted_reader(request, service, owner, limit, stack)
        asked = await received_json(request, OcrRequest)
        asked.check()
        upload = await _Documents(service, owner, stack).upload(asked)
        read = await _open(reader, asked, upload, service)
        reading = await unless_disconnected(request.receive, read())
        size = upload.size
        answer = await asyncio.to_thread(serialize_reading, reading, asked, size)
    return LargeJson(answer, headers=ignored_headers(asked.ignored()))


async def _open(
    reader: DocumentReader, asked: OcrRequest, upload: Upload, service: Service
) -> Read:
    options = build_options(service.settings.option_limits())
    pages = asked.page_ranges
    model = service.models.matching(asked.model)
    return await reader.open(ReadRequest(upload, ReadOptions(options, pages), model=model))


@dataclass(frozen=True, slots=True)
class _Documents:
    """Finds the document of a request: in it, or among the uploaded files."""

    service: Service
    owner: str | None
    stack: AsyncExitStack

    async def upload(self, asked: OcrRequest) -> Upload:
        document = asked.document
        if isinstance(document, FileId):
            store = file_store(self.service)
            return await self._stored(
                await asyncio.to_thread(store.get, document.file_id, self.owner)
            )
        if isinstance(document, DocumentUrl):
            name = document.document_name or "document"
            return await self._at(document.document_url, "document_url", name)
        return await self._at(document.url, "image_url", "image")

    async def _at(self, url: str, field: str, name: str) -> Upload:
        """A data URL, or a link to an uploaded file, which is resolved without a request."""
        if url[:5].lower() == "data:":
            return await stored_data(url, name, field, self.service.settings, self.stack)
        linked = await asyncio.to_thread(file_store(self.service).linked, url)
        if linked is None and self.service.settings.server.url_hosts:
            return await stored_data(url, name, field, self.service.settings, self.stack)
        if linked is None:
            raise InvalidField(
                f"{field}: this service does not fetch URLs; send a data URL, or upload the file "
                "to /v1/files and send its id or its link"
            )
        return await self._stored(linked)

    async def _stored(self, file: StoredFile) -> Upload:
        store, folder = file_store(self.service), self.service.settings.runs_dir
        return await asyncio.to_thread(store.open, file, folder, self.stack)
