"""MinerU 3: `POST /file_parse`, and `POST /tasks` for later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from fastapi import Request, Response
from starlette.responses import JSONResponse

from dsocr import __version__
from dsocr.jobs.job import Job, JobConflict
from dsocr.server.contracts.body import LargeJson, ignored_headers, max_file_bytes
from dsocr.server.contracts.documents import (
    READ_ERRORS,
    ReceivedForm,
    admit_job,
    admitted_reader,
    max_job_bytes,
    pages_between,
    read_all,
    received_options,
    shared_pages,
)
from dsocr.server.contracts.mineru.options import (
    Chosen,
    MineruErrorAnswer,
    MineruOptions,
    mineru_errors,
)
from dsocr.server.contracts.mineru.output import results_of, zipped
from dsocr.server.contracts.reading import Reading
from dsocr.server.contracts.tasks import (
    failure_message,
    parse_task_id,
    readings_of,
    submit,
    task_id,
    timestamp,
)
from dsocr.server.deps import Owner, RunningService, Service, locked_router
from dsocr.server.read_now import ReadRequest
from dsocr.server.route_attributes import body_limit
from dsocr.server.schemas import errors as schemas
from dsocr.types import ReadOptions

router = locked_router("mineru")

_STATUS = {"queued": "pending", "running": "processing", "succeeded": "completed"}


_answers = partial(schemas.error_answers, *READ_ERRORS, model=MineruErrorAnswer)


@router.post(
    "/file_parse", response_class=Response, summary="MinerU: parse files", responses=_answers()
)
@mineru_errors
@body_limit(max_file_bytes)
async def file_parse(request: Request, service: RunningService, owner: Owner) -> Response:
    """A form with `files`."""
    async with AsyncExitStack() as stack:
        limit = max_file_bytes(service.settings)
        reader = await admitted_reader(request, service, owner, limit, stack)
        form = await received_options(request, MineruOptions, "files", service, stack)
        chosen, pages = form.fields.chosen(), await _pages(form, service)
        documents = [
            ReadRequest(upload, ReadOptions(form.options, ranges))
            for upload, ranges in zip(form.uploads, pages, strict=True)
        ]
        readings = await read_all(request, reader, documents)
        return await _written(readings, chosen, form.ignored)


@router.post(
    "/tasks",
    status_code=202,
    response_class=Response,
    summary="MinerU: parse files later",
    responses=_answers(),
)
@mineru_errors
@body_limit(max_job_bytes)
async def create_task(request: Request, service: RunningService, owner: Owner) -> Response:
    async with AsyncExitStack() as stack:
        await admit_job(request, service, max_job_bytes(service.settings), stack)
        form = await received_options(request, MineruOptions, "files", service, stack, for_job=True)
        chosen = form.fields.chosen()
        pages = shared_pages(await _pages(form, service), "end_page_id")
        job = await submit(service, owner, form.uploads, form.options, pages)
    headers = ignored_headers(form.ignored)
    return JSONResponse(_task(job, chosen, request), 202, headers=headers)


@router.get(
    "/tasks/{task}", response_class=Response, summary="MinerU: a task", responses=_answers()
)
@mineru_errors
async def show_task(task: str, request: Request, service: RunningService, owner: Owner) -> Response:
    job_id, chosen = parse_task_id(task, Chosen)
    return JSONResponse(_task(await service.jobs.get(job_id, owner), chosen, request))


@router.get(
    "/tasks/{task}/result",
    response_class=Response,
    summary="MinerU: the result of a task",
    responses=_answers(),
)
@mineru_errors
async def task_result(
    task: str, request: Request, service: RunningService, owner: Owner
) -> Response:
    """202 with the task until it has finished; 409 if it failed."""
    job_id, chosen = parse_task_id(task, Chosen)
    job = await service.jobs.get(job_id, owner)
    if not job.finished:
        return JSONResponse(_task(job, chosen, request), 202)
    if job.status != "succeeded":
        raise JobConflict(failure_message(job))
    return await _written(await readings_of(service, job), chosen, ())


async def _pages(form: ReceivedForm[MineruOptions], service: Service) -> list[str | None]:
    """The page ranges of each file."""
    first, last = form.fields.start_page_id + 1, form.fields.end_page_id + 1
    return [await pages_between(upload, first, last, service) for upload in form.uploads]


def _task(job: Job, chosen: Chosen, request: Request) -> dict[str, Any]:
    identity = task_id(job, chosen)
    url = f"{request.url.scheme}://{request.url.netloc}/tasks/{identity}"
    status = _STATUS.get(job.status, "failed")
    return {
        "task_id": identity,
        "status": status,
        "backend": chosen.backend,
        "file_names": [PurePosixPath(file.name).stem for file in job.files],
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "completed_at": timestamp(job.finished_at),
        "error": failure_message(job) if status == "failed" else None,
        "status_url": url,
        "result_url": f"{url}/result",
        "queued_ahead": max(0, (job.queue_position or 1) - 1),
    }


async def _written(readings: Sequence[Reading], chosen: Chosen, ignored: Sequence[str]) -> Response:
    results = await asyncio.to_thread(results_of, readings, chosen)
    headers = ignored_headers(ignored)
    if chosen.response_format_zip:
        headers["Content-Disposition"] = 'attachment; filename="results.zip"'
        archive = await asyncio.to_thread(zipped, results)
        return Response(archive, media_type="application/zip", headers=headers)
    body = {"backend": chosen.backend, "version": __version__, "results": results}
    return LargeJson(body, headers=headers)
