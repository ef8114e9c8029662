"""Azure AI Document Intelligence: `prebuilt-read` with its searchable PDF."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any, BinaryIO, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from dsocr.errors import InvalidField
from dsocr.jobs.job import Job
from dsocr.pipeline.page_ranges import parse_page_ranges
from dsocr.server.contracts.azure.result import StringIndex, analyzed
from dsocr.server.contracts.body import (
    ignored_headers,
    received_json,
    stored_data,
)
from dsocr.server.contracts.documents import (
    READ_ERRORS,
    admit_job,
    job_json_limit,
    max_job_bytes,
    read_options,
    received_raw,
)
from dsocr.server.contracts.reading import invalid_pages_as_fields
from dsocr.server.contracts.tasks import (
    failure_message,
    parse_task_id,
    readings_of,
    submit,
    task_id,
    timestamp,
)
from dsocr.server.deps import Owner, RunningService, Service, locked_router
from dsocr.server.download import download
from dsocr.server.problems import NotFound
from dsocr.server.received.uploads import Upload
from dsocr.server.route_attributes import ErrorInfo, body_limit, error_shape
from dsocr.server.schemas import errors as schemas

router = locked_router("azure")

MODEL = "prebuilt-read"
PREFIX = "/documentintelligence/documentModels/{model}"
API_VERSION = "2024-11-30"
RETRY_AFTER_SECONDS = 1
_STATUS = {"queued": "notStarted", "running": "running", "succeeded": "succeeded"}
_CODES = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}


class AzureErrorDetails(BaseModel):
    code: str
    message: str
    innererror: dict[str, str]


class AzureErrorAnswer(BaseModel):
    error: AzureErrorDetails


def azure_error(error: ErrorInfo) -> dict[str, Any]:
    code = _CODES.get(error.status, "InternalServerError" if error.status > 499 else "")
    inner = {"code": error.code, "message": error.message}
    return {
        "error": {
            "code": code or "InvalidRequest",
            "message": error.message,
            "innererror": inner,
        }
    }


azure_errors = error_shape(azure_error)
_answers = partial(schemas.error_answers, *READ_ERRORS, model=AzureErrorAnswer)


class ResultOptions(BaseModel):
    """How the result is written. Part of the operation's id."""

    content: Literal["text", "markdown"] = "text"
    index: StringIndex = "textElements"


class AnalyzeQuery(BaseModel):
    """The options of `:analyze`; one that is not named here is reported as ignored."""

    pages: Annotated[str, Field(max_length=1000)] | None = None
    locale: Annotated[str, Field(max_length=40)] | None = None
    stringIndexType: StringIndex = "textElements"
    outputContentFormat: Literal["text", "markdown"] = "text"
    output: list[str] = []


class AnalyzeRequest(BaseModel):
    """The JSON body."""

    base64Source: str | None = None
    urlSource: str | None = None


@router.post(
    PREFIX + ":analyze",
    status_code=202,
    response_class=Response,
    summary="Azure: analyze a document",
    responses=_answers(),
)
@azure_errors
@body_limit(job_json_limit)
async def analyze(
    model: str,
    request: Request,
    service: RunningService,
    owner: Owner,
    query: Annotated[AnalyzeQuery, Query()],
) -> Response:
    """The body is JSON with `base64Source`, or the file. `Operation-Location` has the result."""
    _check_model(model)
    _check_outputs(query)
    async with AsyncExitStack() as stack:
        await admit_job(request, service, job_json_limit(service.settings), stack)
        upload = await _received(request, service, stack)
        language = (query.locale or "").partition("-")[0]
        options, unknown = read_options(service.settings, [language] if language else [])
        job = await submit(service, owner, [upload], options, query.pages)
    ignored = [name for name in request.query_params if name not in AnalyzeQuery.model_fields]
    if request.query_params.get("api-version", API_VERSION) == API_VERSION:
        ignored = [name for name in ignored if name != "api-version"]
    chosen = ResultOptions(content=query.outputContentFormat, index=query.stringIndexType)
    headers = ignored_headers([*ignored, *(["locale"] if unknown else [])])
    headers["Operation-Location"] = _location(request, task_id(job, chosen))
    headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return Response(status_code=202, headers=headers)


@router.get(
    PREFIX + "/analyzeResults/{result_id}",
    response_class=Response,
    summary="Azure: the result of an analysis",
    responses=_answers(),
)
@azure_errors
async def analyze_result(
    model: str, result_id: str, service: RunningService, owner: Owner
) -> Response:
    _check_model(model)
    job, options = await _operation(result_id, service, owner)
    body: dict[str, Any] = {
        "status": _STATUS.get(job.status, "failed"),
        "createdDateTime": timestamp(job.created_at),
        "lastUpdatedDateTime": timestamp(job.finished_at or job.started_at or job.created_at),
    }
    if body["status"] == "failed":
        code = job.error.code if job.error else "InternalServerError"
        body["error"] = {"code": code, "message": failure_message(job)}
    content = to_json(body)
    if job.status == "succeeded":
        [reading] = await readings_of(service, job)
        result = await asyncio.to_thread(
            analyzed, reading, MODEL, API_VERSION, options.content, options.index
        )
        content = b'%b,"analyzeResult":%b}' % (content[:-1], result)
    headers = {} if job.finished else {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return Response(content, media_type="application/json", headers=headers)


@router.get(
    PREFIX + "/analyzeResults/{result_id}/pdf",
    response_class=Response,
    summary="Azure: the searchable PDF of an analysis",
    responses=_answers(),
)
@azure_errors
async def analyze_result_pdf(
    model: str, result_id: str, service: RunningService, owner: Owner
) -> Response:
    _check_model(model)
    job, _ = await _operation(result_id, service, owner)
    if job.status != "succeeded":
        raise NotFound("The analysis has no searchable PDF yet, or it failed.")

    async def write(out: BinaryIO) -> None:
        await service.jobs.export(job.id, "pdf", out, owner)

    return await download(write, job.name, "pdf", service.jobs.files.incoming)


async def _received(request: Request, service: Service, stack: AsyncExitStack) -> Upload:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    limit = max_job_bytes(service.settings)
    if media_type != "application/json":
        return await received_raw(request, "document", service.settings, stack, limit)
    body = await received_json(request, AnalyzeRequest)
    if body.urlSource and not service.settings.server.url_hosts:
        raise InvalidField("urlSource: this service does not fetch URLs; send base64Source")
    text = body.urlSource or body.base64Source
    if not text:
        raise InvalidField("base64Source: the document is missing")
    field = "urlSource" if body.urlSource else "base64Source"
    return await stored_data(text, "document", field, service.settings, stack)


async def _operation(
    result_id: str, service: Service, owner: str | None
) -> tuple[Job, ResultOptions]:
    job_id, options = parse_task_id(result_id, ResultOptions)
    return await service.jobs.get(job_id, owner), options


def _location(request: Request, result_id: str) -> str:
    """An absolute URL, as the SDK wants it; its host is the one that the client has used."""
    path = PREFIX.format(model=MODEL)
    base = f"{request.url.scheme}://{request.url.netloc}"
    return f"{base}{path}/analyzeResults/{result_id}?api-version={API_VERSION}"


def _check_model(model: str) -> None:
    if model != MODEL:
        raise NotFound(f"ModelNotFound: only {MODEL} is answered here, not {model[:40]!r}.")


def _check_outputs(query: AnalyzeQuery) -> None:
    """Raises `InvalidField`."""
    outputs = [name for text in query.output for name in text.split(",")]
    if set(outputs) - {"pdf", ""}:
        raise InvalidField("output: only pdf can be given; figures come with /api/jobs")
    if query.pages:
        with invalid_pages_as_fields():
            parse_page_ranges(query.pages)
    elif query.pages is not None:
        raise InvalidField("pages: write page ranges such as 1-3,7")
