"""`/v1/files`: files to name in a later request."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse

from dsocr.config import MIB, Settings
from dsocr.errors import InvalidField
from dsocr.pages.signature import file_type
from dsocr.server.contracts.body import ignored_headers
from dsocr.server.contracts.file_store import KEEP_SECONDS, FileStore, StoredFile
from dsocr.server.contracts.mistral.errors import error_answers, mistral_errors
from dsocr.server.deps import Owner, RunningService, Service, locked_router
from dsocr.server.forms import max_body_bytes
from dsocr.server.received.uploads import Form, FormLimits, Upload, disk_error, received_form
from dsocr.server.route_attributes import body_limit

router = locked_router("mistral")

MAX_EXPIRY_HOURS = KEEP_SECONDS // 3600
MAX_PURPOSE_CHARACTERS = 40


class FilesQuery(BaseModel):
    """Which of the files to list; all without `page_size`."""

    page: int = Field(0, ge=0, description="From 0")
    page_size: int | None = Field(None, ge=1)
    include_total: bool = Field(True, description="The total is always there")
    purpose: str | None = None

    def part(self) -> slice:
        size = self.page_size
        return slice(self.page * size, (self.page + 1) * size) if size else slice(None)


def max_file_bytes(settings: Settings) -> int:
    return int(settings.jobs.max_job_mb * MIB)


def file_store(service: Service) -> FileStore:
    return FileStore(service.kept)


@router.post(
    "/v1/files",
    response_class=Response,
    summary="Mistral: upload a file",
    responses=error_answers(400, 401, 403, 408, 413, 415, 422, 429, 503, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {
                            "file": {"type": "string", "format": "binary"},
                            "purpose": {"type": "string", "default": "ocr"},
                        },
                    }
                }
            },
        }
    },
)
@body_limit(max_file_bytes)
@mistral_errors
async def upload(request: Request, service: RunningService, owner: Owner) -> Response:
    """A file is kept for a day, or until it is deleted."""
    limit = max_file_bytes(service.settings)
    with service.uploads.admit(0):
        await service.jobs.check_capacity(max_body_bytes(request, limit))
        limits = FormLimits(1, limit, service.settings.server.max_form_fields)
        async with received_form(request, service.settings.runs_dir, limits) as form:
            file = await asyncio.to_thread(_stored, form, service, owner)
            ignored = [name for name in form.fields if name != "purpose"]
    return JSONResponse(_answer(file), headers=ignored_headers(ignored))


@router.get(
    "/v1/files",
    response_class=Response,
    summary="Mistral: list files",
    responses=error_answers(401, 422, 503),
)
@mistral_errors
async def list_files(
    request: Request, service: RunningService, owner: Owner, query: Annotated[FilesQuery, Query()]
) -> Response:
    files = await asyncio.to_thread(file_store(service).files, owner)
    files = [file for file in files if query.purpose in (None, file.purpose)]
    listed = [_answer(file) for file in files[query.part()]]
    ignored = [name for name in request.query_params if name not in FilesQuery.model_fields]
    answer = {"object": "list", "data": listed, "total": len(files)}
    return JSONResponse(answer, headers=ignored_headers(ignored))


@router.get(
    "/v1/files/{file_id}",
    response_class=Response,
    summary="Mistral: a file",
    responses=error_answers(401, 404, 422, 503),
)
@mistral_errors
async def show(file_id: str, service: RunningService, owner: Owner) -> Response:
    file = await asyncio.to_thread(file_store(service).get, file_id, owner)
    return JSONResponse({**_answer(file), "deleted": False})


@router.get(
    "/v1/files/{file_id}/content",
    response_class=Response,
    summary="Mistral: the content of a file",
    responses=error_answers(401, 404, 422, 503),
)
@mistral_errors
async def content(file_id: str, service: RunningService, owner: Owner) -> Response:
    """Requires a key as every route; the signature of a link is for `/v1/ocr` alone."""
    async with AsyncExitStack() as stack:
        upload = await asyncio.to_thread(_opened, file_id, service, owner, stack)
        after = BackgroundTask(stack.pop_all().aclose)
    return FileResponse(
        upload.path,
        media_type="application/octet-stream",
        filename=upload.name,
        background=after,
    )


@router.get(
    "/v1/files/{file_id}/url",
    response_class=Response,
    summary="Mistral: a signed link to a file",
    responses=error_answers(401, 404, 422, 503),
)
@mistral_errors
async def link(
    file_id: str,
    request: Request,
    service: RunningService,
    owner: Owner,
    expiry: Annotated[int, Query(ge=1, description="In hours; a file is kept for a day")] = 24,
) -> Response:
    """`POST /v1/ocr` takes the link without fetching it."""
    store = file_store(service)
    file = await asyncio.to_thread(store.get, file_id, owner)
    base = str(request.base_url).rstrip("/")
    url = await asyncio.to_thread(store.link, file, base, min(expiry, MAX_EXPIRY_HOURS))
    return JSONResponse({"url": url})


@router.delete(
    "/v1/files/{file_id}",
    response_class=Response,
    summary="Mistral: delete a file",
    responses=error_answers(401, 403, 404, 422, 503),
)
@mistral_errors
async def delete(file_id: str, service: RunningService, owner: Owner) -> Response:
    """A request that reads the file goes on."""
    await asyncio.to_thread(file_store(service).delete, file_id, owner)
    return JSONResponse({"id": file_id, "object": "file", "deleted": True})


def _stored(form: Form, service: Service, owner: str | None) -> StoredFile:
    """Raises `InvalidField`, `NotADocument` and `DiskFull`."""
    received = _file(form)
    file_type(received.path)
    purpose = form.fields.get("purpose", "ocr")[:MAX_PURPOSE_CHARACTERS]
    try:
        return file_store(service).add(received, purpose, owner)
    except OSError as error:
        raise disk_error(error) from error


def _file(form: Form) -> Upload:
    files = form.files.get("file")
    if not files:
        raise InvalidField("file: the file is missing")
    if files[0].size == 0:
        raise InvalidField("file: the file is empty")
    return files[0]


def _opened(file_id: str, service: Service, owner: str | None, stack: AsyncExitStack) -> Upload:
    store = file_store(service)
    return store.open(store.get(file_id, owner), service.settings.runs_dir, stack)


def _answer(file: StoredFile) -> dict[str, Any]:
    """In the fields of both the Mistral and the OpenAI API."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": file.created_at,
        "expires_at": file.created_at + KEEP_SECONDS,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "sample_type": "ocr_input",
        "source": "upload",
        "num_lines": None,
        "signature": None,
    }
