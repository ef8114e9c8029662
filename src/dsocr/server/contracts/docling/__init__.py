"""docling-serve v1: convert and chunk, at once or as tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response, WebSocket
from starlette.responses import JSONResponse

from dsocr import __version__
from dsocr.errors import DsocrError
from dsocr.jobs.job import Job
from dsocr.server.contracts.body import LargeJson, ignored_headers
from dsocr.server.contracts.docling.options import (
    Chosen,
    DoclingErrorAnswer,
    docling_errors,
)
from dsocr.server.contracts.docling.output import chunked, converted, zipped
from dsocr.server.contracts.docling.requests import (
    Conversion,
    body_limit_of,
    received_form_conversion,
    received_json_conversion,
)
from dsocr.server.contracts.documents import (
    READ_ERRORS,
    admit_job,
    admitted_reader,
    read_all,
    shared_pages,
)
from dsocr.server.contracts.reading import Reading
from dsocr.server.contracts.tasks import (
    failure_message,
    job_after,
    parse_task_id,
    readings_of,
    submit,
    task_id,
)
from dsocr.server.deps import Owner, RunningService, Service, locked_router
from dsocr.server.problems import NotFound, Unauthorized
from dsocr.server.read_now import ReadRequest
from dsocr.server.route_attributes import body_limit
from dsocr.server.schemas import errors as schemas
from dsocr.types import ReadOptions

router = locked_router("docling")

Input = Literal["file", "source"]
Chunker = Literal["hybrid", "hierarchical"]
MAX_WAIT_SECONDS = 60.0
_STATUS = {"queued": "pending", "running": "started", "succeeded": "success"}
_RESULT_MISSING = "Task result not found. Please wait for a completion status."

_answers = partial(schemas.error_answers, *READ_ERRORS, model=DoclingErrorAnswer)
_now_limit = body_limit(lambda settings: body_limit_of(settings, is_json=True, for_job=False))
_job_limit = body_limit(lambda settings: body_limit_of(settings, is_json=True, for_job=True))


@router.post("/v1alpha/convert/{input}", include_in_schema=False)
@router.post(
    "/v1/convert/{input}",
    response_class=Response,
    summary="docling: convert documents",
    responses=_answers(),
)
@docling_errors
@_now_limit
async def convert(
    input: Input, request: Request, service: RunningService, owner: Owner
) -> Response:
    """`file` is a form with `files`, `source` a JSON body with base64."""
    return await _answer_now(request, service, owner, input, chunks=False)


@router.post(
    "/v1/chunk/{chunker}/{input}",
    response_class=Response,
    summary="docling: chunk documents",
    responses=_answers(),
)
@docling_errors
@_now_limit
async def chunk(
    chunker: Chunker, input: Input, request: Request, service: RunningService, owner: Owner
) -> Response:
    return await _answer_now(request, service, owner, input, chunks=True)


@router.post("/v1alpha/convert/{input}/async", include_in_schema=False)
@router.post(
    "/v1/convert/{input}/async",
    response_class=Response,
    summary="docling: convert documents later",
    responses=_answers(),
)
@docling_errors
@_job_limit
async def convert_later(
    input: Input, request: Request, service: RunningService, owner: Owner
) -> Response:
    return await _answer_later(request, service, owner, input, chunks=False)


@router.post(
    "/v1/chunk/{chunker}/{input}/async",
    response_class=Response,
    summary="docling: chunk documents later",
    responses=_answers(),
)
@docling_errors
@_job_limit
async def chunk_later(
    chunker: Chunker, input: Input, request: Request, service: RunningService, owner: Owner
) -> Response:
    return await _answer_later(request, service, owner, input, chunks=True)


@router.get("/v1alpha/status/poll/{task}", include_in_schema=False)
@router.get(
    "/v1/status/poll/{task}",
    response_class=Response,
    summary="docling: the state of a task",
    responses=_answers(),
)
@docling_errors
async def poll(
    task: str,
    service: RunningService,
    owner: Owner,
    wait: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0.0,
) -> Response:
    """`wait` seconds for its end, at most 60."""
    job_id, chosen = parse_task_id(task, Chosen)
    job = await job_after(service, job_id, owner, min(wait, MAX_WAIT_SECONDS))
    return JSONResponse(_status(job, chosen))


@router.get("/v1alpha/result/{task}", include_in_schema=False)
@router.get(
    "/v1/result/{task}",
    response_class=Response,
    summary="docling: the result of a task",
    responses=_answers(),
)
@docling_errors
async def result(task: str, service: RunningService, owner: Owner) -> Response:
    job_id, chosen = parse_task_id(task, Chosen)
    job = await service.jobs.get(job_id, owner)
    if job.status != "succeeded":
        raise NotFound(_RESULT_MISSING)
    seconds = (job.finished_at or 0) - job.created_at
    return await _written(await readings_of(service, job), chosen, seconds)


@router.websocket("/v1/status/ws/{task}")
async def status_socket(socket: WebSocket, task: str) -> None:
    """The state of a task at each change until its end. The key is taken from headers alone."""
    service: Service = socket.app.state.service
    try:
        service.keys.check(socket.headers)
    except Unauthorized:
        await socket.close(1008)
        return
    await socket.accept()
    owner = service.keys.owner(socket.headers)
    states = asyncio.ensure_future(_send_states(socket, service, task, owner))
    gone = asyncio.ensure_future(_disconnected(socket))
    try:
        await asyncio.wait({states, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not gone.done():
            states.result()
            await socket.close()
    finally:
        states.cancel()
        gone.cancel()
        await asyncio.gather(states, gone, return_exceptions=True)


async def _disconnected(socket: WebSocket) -> None:
    """Returns when the client has closed the socket; what it sends is dropped."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _send_states(socket: WebSocket, service: Service, task: str, owner: str | None) -> None:
    try:
        job_id, chosen = parse_task_id(task, Chosen)
        job = await service.jobs.get(job_id, owner)
    except DsocrError:
        await socket.send_json({"message": "error", "task": None, "error": "Task not found."})
        return
    await socket.send_json({"message": "connection", "task": _status(job, chosen), "error": None})
    async for event in service.jobs.follow(job_id, 0):
        if isinstance(event, Job):
            state = _status(await service.jobs.get(job_id, owner), chosen)
            await socket.send_json({"message": "update", "task": state, "error": None})


@router.get("/version", response_class=Response, summary="docling: version", responses=_answers())
@docling_errors
async def version() -> Response:
    return JSONResponse({"dsocr": __version__, "docling-serve": "1"})


async def _received(
    request: Request, service: Service, stack: AsyncExitStack, input: Input, **how: bool
) -> Conversion:
    receive = received_form_conversion if input == "file" else received_json_conversion
    return await receive(request, service, stack, chunks=how["chunks"], for_job=how["for_job"])


async def _answer_now(
    request: Request, service: Service, owner: str | None, input: Input, *, chunks: bool
) -> Response:
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        limit = body_limit_of(service.settings, is_json=input == "source", for_job=False)
        reader = await admitted_reader(request, service, owner, limit, stack)
        conversion = await _received(request, service, stack, input, chunks=chunks, for_job=False)
        documents = [
            ReadRequest(upload, ReadOptions(conversion.options, pages))
            for upload, pages in zip(conversion.uploads, conversion.pages, strict=True)
        ]
        readings = await read_all(request, reader, documents)
        seconds = time.monotonic() - started
        return await _written(readings, conversion.chosen, seconds, conversion.ignored)


async def _answer_later(
    request: Request, service: Service, owner: str | None, input: Input, *, chunks: bool
) -> Response:
    limit = body_limit_of(service.settings, is_json=input == "source", for_job=True)
    async with AsyncExitStack() as stack:
        await admit_job(request, service, limit, stack)
        conversion = await _received(request, service, stack, input, chunks=chunks, for_job=True)
        pages = shared_pages(conversion.pages, "page_range")
        job = await submit(service, owner, conversion.uploads, conversion.options, pages)
    return JSONResponse(
        _status(job, conversion.chosen), headers=ignored_headers(conversion.ignored)
    )


async def _written(
    readings: Sequence[Reading], chosen: Chosen, seconds: float, ignored: Sequence[str] = ()
) -> Response:
    headers = ignored_headers(ignored)
    if chosen.chunk_tokens is not None:
        body = await asyncio.to_thread(chunked, readings, chosen, seconds)
        return LargeJson(body, headers=headers)
    if chosen.target == "zip" or len(readings) > 1:
        archive = await asyncio.to_thread(zipped, readings, chosen)
        headers["Content-Disposition"] = 'attachment; filename="converted_docs.zip"'
        return Response(archive, media_type="application/zip", headers=headers)
    body = await asyncio.to_thread(converted, readings, chosen, seconds)
    return LargeJson(body, headers=headers)


def _status(job: Job, chosen: Chosen) -> dict[str, Any]:
    ended = job.finished
    status = _STATUS.get(job.status, "failure")
    if status == "success" and job.pages_failed:
        status = "partial_success"
    return {
        "task_id": task_id(job, chosen),
        "task_type": "convert" if chosen.chunk_tokens is None else "chunk",
        "task_status": status,
        "task_position": job.queue_position,
        "task_meta": {
            "num_docs": len(job.files),
            "num_processed": len(job.files) if ended else 0,
            "num_succeeded": len(job.files) if job.status == "succeeded" else 0,
            "num_failed": len(job.files) if status == "failure" else 0,
        },
        "error_message": failure_message(job) if status == "failure" else None,
    }
