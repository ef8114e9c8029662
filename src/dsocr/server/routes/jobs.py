"""`/api/jobs`: documents that take their time. Submit them, watch them, have them as files."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import uuid
from collections.abc import Sequence
from typing import Annotated, Any, BinaryIO

from fastapi import Body, Query, Request, Response
from starlette.responses import JSONResponse

from dsocr.config import MIB
from dsocr.errors import BadRequest, DsocrError, InvalidField, TooManyPages
from dsocr.exports import format_of
from dsocr.jobs.job import Correction, Job, JobFile, JobPage, NewJob
from dsocr.jobs.store.queries import Wanted
from dsocr.options import change_options
from dsocr.pages.source import open_document
from dsocr.pipeline.page_ranges import page_indices
from dsocr.pipeline.pipeline import check_options
from dsocr.server.deps import Owner, RunningService, Service, locked_router
from dsocr.server.download import download
from dsocr.server.forms import announced_bytes, check_engine, checked, options_of
from dsocr.server.job_schemas import (
    JOB_REQUEST_BODY,
    STATUSES,
    Corrections,
    JobAnswer,
    JobForm,
    JobList,
    JobPageAnswer,
    PageRetry,
)
from dsocr.server.job_wire import job_to_wire, news_to_wire, stored_page_to_wire
from dsocr.server.route_attributes import body_limit
from dsocr.server.schemas import error_answers
from dsocr.server.sse import Emit, EventStream
from dsocr.server.uploads import Form, FormLimits, Upload, received_form
from dsocr.types import OcrOptions

router = locked_router("jobs")

MAX_IDEMPOTENCY_CHARACTERS = 255
MOST_LISTED = 200


@router.post(
    "/api/jobs",
    status_code=202,
    response_model=JobAnswer,
    summary="Submit documents to be read",
    responses=error_answers(400, 401, 403, 408, 409, 413, 415, 422, 429, 503, 507),
    openapi_extra=JOB_REQUEST_BODY,
)
@body_limit(lambda settings: int(settings.jobs.max_job_mb * MIB))
async def submit(request: Request, service: RunningService, owner: Owner) -> Response:
    """What was answered 202 is on the disk and will be read, whatever happens to this process.
    With an `Idempotency-Key` header, the same request again is answered with the same job."""
    config = service.settings.jobs
    most = int(config.max_job_mb * MIB)
    key = _idempotency_key(request)
    with service.uploads.enter(0):
        await service.jobs.check_room(announced_bytes(request, most))
        limits = FormLimits(config.max_files, most, service.settings.server.max_form_fields)
        async with received_form(request, service.jobs.files.incoming, limits) as form:
            new = await _new_job(form, service, owner or "")
            if key is not None:
                fingerprint = await asyncio.to_thread(_fingerprint, form, new)
                new = dataclasses.replace(new, idempotency_key=key, fingerprint=fingerprint)
            job = await service.jobs.submit(new)
    return JSONResponse(job_to_wire(job), 202, headers={"Location": f"/api/jobs/{job.id}"})


@router.get(
    "/api/jobs",
    response_model=JobList,
    summary="Jobs, newest first",
    responses=error_answers(401, 422),
)
async def list_jobs(
    service: RunningService,
    owner: Owner,
    status: STATUSES | None = None,
    search: Annotated[str, Query(max_length=255, description="Part of a file name")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
    offset: Annotated[int, Query(ge=0, le=1 << 31)] = 0,
) -> Response:
    jobs, total = await service.jobs.list(Wanted(owner, status, search, limit, offset))
    listed = [job_to_wire(job) for job in jobs]
    return JSONResponse({"jobs": listed, "total": total, "limit": limit, "offset": offset})


@router.get(
    "/api/jobs/{job_id}",
    response_model=JobAnswer,
    summary="How a job stands",
    responses=error_answers(401, 404, 422),
)
async def show(job_id: str, service: RunningService, owner: Owner) -> Response:
    return JSONResponse(job_to_wire(await service.jobs.get(job_id, owner)))


@router.get(
    "/api/jobs/{job_id}/events",
    response_class=Response,
    summary="Watch a job",
    responses=error_answers(401, 404, 422),
)
async def events(job_id: str, request: Request, service: RunningService, owner: Owner) -> Response:
    """Server-sent events: `page_done` for each page read, `job` when it has changed, `done` with
    the job when it is over. `Last-Event-ID` tells what came after that event, also after a restart;
    204 when nothing more will come."""
    after = _last_event_id(request)
    job = await service.jobs.get(job_id, owner)
    if job.finished and after >= job.seq:
        return Response(status_code=204)

    async def work(emit: Emit) -> None:
        async for told in service.jobs.follow(job_id, after):
            if not isinstance(told, Job):
                emit("page_done", news_to_wire(told), told.seq)
            elif told.finished:
                emit("done", job_to_wire(told), told.seq)
            else:
                emit("job", job_to_wire(told), told.seq)

    return EventStream(work, heartbeat_seconds=service.settings.server.heartbeat_seconds)


@router.get(
    "/api/jobs/{job_id}/pages/{index}",
    response_model=JobPageAnswer,
    summary="One page of a job",
    responses=error_answers(401, 404, 422),
)
async def page(job_id: str, index: int, service: RunningService, owner: Owner) -> Response:
    """`index` is the `pageIndex`: from 0 over all pages of the job, its files in order."""
    return JSONResponse(stored_page_to_wire(await service.jobs.page(job_id, index, owner)))


@router.get(
    "/api/jobs/{job_id}/pages/{index}/image",
    response_class=Response,
    summary="The picture of a page",
    responses=error_answers(401, 404, 413, 415, 422, 504),
)
async def page_image(job_id: str, index: int, service: RunningService, owner: Owner) -> Response:
    """A JPEG of the page as the engine saw it; also of a page that was not read yet."""
    return Response(await service.jobs.image(job_id, index, owner), media_type="image/jpeg")


@router.get(
    "/api/jobs/{job_id}/export",
    response_class=Response,
    summary="A job as a file",
    responses=error_answers(400, 401, 404, 422, 507),
)
async def export(
    job_id: str, service: RunningService, owner: Owner, format: str = "markdown"
) -> Response:
    """Also of a job that is not over: pages that were not read say so in their places."""
    format_of(format)
    job = await service.jobs.get(job_id, owner)

    async def write(out: BinaryIO) -> None:
        await service.jobs.export(job_id, format, out, owner)

    return await download(write, job.name, format, service.jobs.files.incoming)


@router.post(
    "/api/jobs/{job_id}/cancel",
    response_model=JobAnswer,
    summary="Stop a job",
    responses=error_answers(401, 403, 404, 409, 422),
)
async def cancel(job_id: str, service: RunningService, owner: Owner) -> Response:
    """What was read stays and can be exported."""
    return JSONResponse(job_to_wire(await service.jobs.cancel(job_id, owner)))


@router.delete(
    "/api/jobs/{job_id}",
    status_code=204,
    response_class=Response,
    summary="Remove a job",
    responses=error_answers(401, 403, 404, 422),
)
async def delete(job_id: str, service: RunningService, owner: Owner) -> Response:
    """Its files and its pages go with it; a running job is stopped first."""
    await service.jobs.delete(job_id, owner)
    return Response(status_code=204)


@router.post(
    "/api/jobs/{job_id}/pages/{index}/retry",
    status_code=202,
    response_model=JobAnswer,
    summary="Read a page again",
    responses=error_answers(400, 401, 403, 404, 409, 422, 503),
)
async def retry(
    job_id: str,
    index: int,
    service: RunningService,
    owner: Owner,
    changes: Annotated[PageRetry | None, Body()] = None,
) -> Response:
    """Its result and its corrections stand until the new result is there, which takes the place of
    both: a page with corrections is only read again where `discard_corrections` says so."""
    job = await service.jobs.get(job_id, owner)
    changed = changes or PageRetry()
    options = _changed_options(job.options, changed, service)
    retried = await service.jobs.retry(
        job_id,
        index,
        options,
        changed.dpi or job.dpi,
        owner,
        discard_corrections=changed.discard_corrections,
    )
    return JSONResponse(job_to_wire(retried), 202)


@router.patch(
    "/api/jobs/{job_id}/pages/{index}",
    response_model=JobPageAnswer,
    summary="Correct a page",
    responses=error_answers(400, 401, 403, 404, 408, 409, 413, 422),
)
async def correct(
    job_id: str, index: int, corrections: Corrections, service: RunningService, owner: Owner
) -> Response:
    """The engine's text is kept beside it; exports use the correction."""
    changes = {
        block.id: None
        if block.text is None and block.label is None
        else Correction(block.text, block.label)
        for block in corrections.blocks
    }
    stored = await service.jobs.correct(job_id, index, changes, owner)
    return JSONResponse(stored_page_to_wire(stored))


async def _new_job(form: Form, service: Service, owner: str) -> NewJob:
    fields = checked(JobForm, form.fields)
    options = options_of(fields, service.settings)
    check_engine(fields.engine, service)
    if service.host.info is not None:
        check_options(options, service.host.info)
    if fields.callback:
        service.jobs.callbacks.check(fields.callback)
    uploads = [*form.files.get("file", []), *form.files.get("files", [])]
    if not uploads:
        raise InvalidField("file: the file is missing")
    files = await _opened(uploads, fields.password, service)
    running = service.host.selection.name
    return NewJob(
        id=uuid.uuid4().hex,
        owner=owner,
        options=options,
        dpi=fields.dpi,
        engine=running,
        wanted_engine=fields.engine if fields.engine not in (None, "auto") else None,
        files=files,
        pages=_pages(files, fields.pages, service.settings.jobs.max_pages),
        paths=tuple(upload.path for upload in uploads),
        callback_url=fields.callback,
    )


async def _opened(
    uploads: Sequence[Upload], password: str | None, service: Service
) -> tuple[JobFile, ...]:
    """The files with their numbers of pages. One that cannot be opened among others has one page,
    which will say why; if it is all there is, the job is refused."""
    files: list[JobFile] = []
    failures: list[DsocrError] = []
    for number, upload in enumerate(uploads):
        num_pages = 1
        try:
            source = await open_document(
                upload.path, name=upload.name, sandbox=service.host.sandbox, password=password
            )
            num_pages = source.num_pages
            await source.close()
        except DsocrError as error:
            failures.append(error)
        files.append(JobFile(number, upload.name, upload.size, num_pages, password))
    if len(failures) == len(uploads):
        raise failures[0]
    return tuple(files)


def _pages(files: Sequence[JobFile], wanted: str | None, most: int) -> tuple[JobPage, ...]:
    """All pages that are to be read, numbered through. `wanted` counts in each file anew."""
    places = [
        (file.number, index)
        for file in files
        for index in (page_indices(wanted, file.num_pages) if wanted else range(file.num_pages))
    ]
    if len(places) > most:
        raise TooManyPages(f"{len(places)} pages are more than the {most} a job may have.")
    return tuple(JobPage(index, *place) for index, place in enumerate(places))


def _changed_options(options: OcrOptions, changes: PageRetry, service: Service) -> OcrOptions:
    changed = change_options(
        options,
        service.settings.option_limits(),
        prompt=changes.prompt,
        mode=changes.mode,
        max_tokens=changes.max_tokens,
        temperature=changes.temperature,
        no_repeat_ngram=changes.no_repeat_ngram,
    )
    if service.host.info is not None:
        check_options(changed, service.host.info)
    return changed


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MAX_IDEMPOTENCY_CHARACTERS):
        raise BadRequest(f"Idempotency-Key: 1 to {MAX_IDEMPOTENCY_CHARACTERS} characters, please.")
    return key


def _fingerprint(form: Form, new: NewJob) -> str:
    """Of the fields and the files: what makes two requests the same."""
    digest = hashlib.sha256(json.dumps(sorted(form.fields.items())).encode())
    for file, path in zip(new.files, new.paths, strict=True):
        digest.update(json.dumps([file.name, file.size]).encode())
        with path.open("rb") as content:
            while piece := content.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


def _last_event_id(request: Request) -> int:
    """0, which is before everything, where none was sent."""
    text: Any = request.headers.get("last-event-id") or "0"
    if not (text.isdecimal() and len(text) < 16):
        raise BadRequest("Last-Event-ID: this is no id of an event of ours.")
    return int(text)
