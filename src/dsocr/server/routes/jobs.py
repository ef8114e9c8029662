"""`/api/jobs`: submit documents to be read in the background, list, cancel and delete them."""

from __future__ import annotations

import dataclasses
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import Query, Request, Response
from starlette.responses import JSONResponse

from dsocr.config import MIB
from dsocr.errors import BadRequest, InvalidField
from dsocr.jobs.store.listing import JobFilter
from dsocr.jobs.submission import Submission
from dsocr.server.contracts.body import stored_data
from dsocr.server.deps import Browser, Lister, Owner, RunningService, Service, locked_router
from dsocr.server.forms import max_body_bytes, model_of, options_of, validate_form
from dsocr.server.received.uploads import Form, FormLimits, clean_name, received_form
from dsocr.server.route_attributes import body_limit
from dsocr.server.schemas.errors import error_answers
from dsocr.server.schemas.jobs import (
    JOB_REQUEST_BODY,
    STATUSES,
    JobAnswer,
    JobChanges,
    JobForm,
    JobList,
)
from dsocr.server.serialize import serialize_job

router = locked_router("jobs")

FILE_FIELDS = ("file", "files")

MAX_IDEMPOTENCY_CHARACTERS = 255
MAX_LISTED = 200


@router.post(
    "/api/jobs",
    status_code=202,
    response_model=JobAnswer,
    summary="Submit documents to be read",
    responses=error_answers(400, 401, 403, 408, 409, 413, 415, 422, 429, 503, 507),
    openapi_extra=JOB_REQUEST_BODY,
)
@body_limit(lambda settings: int(settings.jobs.max_job_mb * MIB))
async def submit(
    request: Request, service: RunningService, owner: Lister, browser: Browser = None
) -> Response:
    """After a 202 response the job is stored and is read even if the service restarts. The same
    request with the same `Idempotency-Key` header gets the same job again."""
    config = service.settings.jobs
    limit = int(config.max_job_mb * MIB)
    key = _idempotency_key(request)
    with service.uploads.admit(0):
        await service.jobs.check_capacity(max_body_bytes(request, limit))
        limits = FormLimits(config.max_files, limit, service.settings.server.max_form_fields)
        async with AsyncExitStack() as stack:
            folder = service.jobs.files.incoming
            form = await stack.enter_async_context(received_form(request, folder, limits))
            submission = _submission(form, service, owner, key, followed=browser is not None)
            submission = await _with_urls(submission, form, service, stack)
            job = await service.jobs.submit(submission)
    return JSONResponse(serialize_job(job), 202, headers={"Location": f"/api/jobs/{job.id}"})


@router.get(
    "/api/jobs",
    response_model=JobList,
    summary="Jobs, newest first",
    responses=error_answers(401, 422),
)
async def list_jobs(
    service: RunningService,
    owner: Lister,
    status: STATUSES | None = None,
    search: Annotated[str, Query(max_length=255, description="Part of a file name")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 50,
    offset: Annotated[int, Query(ge=0, le=1 << 31)] = 0,
) -> Response:
    jobs, total = await service.jobs.list(JobFilter(owner, status, search, limit, offset))
    listed = [serialize_job(job) for job in jobs]
    return JSONResponse({"jobs": listed, "total": total, "limit": limit, "offset": offset})


@router.get(
    "/api/jobs/{job_id}",
    response_model=JobAnswer,
    summary="A job and its progress",
    responses=error_answers(401, 404, 422),
)
async def show(job_id: str, service: RunningService, owner: Owner, editor: Lister) -> Response:
    job = await service.jobs.get(job_id, owner)
    return JSONResponse(serialize_job(job, editable=job.is_editable(editor)))


@router.post(
    "/api/jobs/{job_id}/cancel",
    response_model=JobAnswer,
    summary="Cancel a job",
    responses=error_answers(401, 403, 404, 409, 422),
)
async def cancel(job_id: str, service: RunningService, editor: Lister) -> Response:
    """Pages that were read are kept and can be exported."""
    return JSONResponse(serialize_job(await service.jobs.cancel(job_id, editor)))


@router.post(
    "/api/jobs/{job_id}/resume",
    status_code=202,
    response_model=JobAnswer,
    summary="Read the rest of a job",
    responses=error_answers(401, 403, 404, 409, 422),
)
async def resume(
    job_id: str, service: RunningService, editor: Lister, browser: Browser = None
) -> Response:
    """Reads the pages that a cancelled or failed job has left unread."""
    job = await service.jobs.resume(job_id, editor, followed=browser is not None)
    return JSONResponse(serialize_job(job), 202)


@router.patch(
    "/api/jobs/{job_id}",
    response_model=JobAnswer,
    summary="Rename a job",
    responses=error_answers(400, 401, 403, 404, 408, 413, 422),
)
async def rename(
    job_id: str, changes: JobChanges, service: RunningService, editor: Lister
) -> Response:
    """The list, the search and the names of exports have the new name."""
    job = await service.jobs.rename(job_id, clean_name(changes.name), editor)
    return JSONResponse(serialize_job(job))


@router.delete(
    "/api/jobs/{job_id}",
    status_code=204,
    response_class=Response,
    summary="Delete a job",
    responses=error_answers(401, 403, 404, 422),
)
async def delete(job_id: str, service: RunningService, editor: Lister) -> Response:
    """Deletes its files and pages too. A running job is cancelled first."""
    await service.jobs.delete(job_id, editor)
    return Response(status_code=204)


def _submission(
    form: Form, service: Service, owner: str, key: str | None, *, followed: bool
) -> Submission:
    """The form of `POST /api/jobs` as a submission."""
    fields = validate_form(JobForm, form, FILE_FIELDS)
    read = options_of(fields, service.settings)
    model = model_of(fields, service)
    files = [upload for name in FILE_FIELDS for upload in form.files.get(name, [])]
    if not files and not fields.url:
        raise InvalidField("file: the file is missing")
    return Submission(
        files=files,
        read=read,
        engine=service.models.host(model).selection.name,
        owner=owner,
        wanted_engine=model,
        callback_url=fields.callback,
        idempotency_key=key,
        followed=followed,
        fields=form.fields,
    )


async def _with_urls(
    submission: Submission, form: Form, service: Service, stack: AsyncExitStack
) -> Submission:
    """With the documents of the field `url`, one a line, after the files."""
    urls = form.fields.get("url", "").split()
    if len(urls) + len(submission.files) > service.settings.jobs.max_files:
        raise BadRequest(f"url: at most {service.settings.jobs.max_files} files in one job.")
    fetched = [await stored_data(url, "document", "url", service.settings, stack) for url in urls]
    return dataclasses.replace(submission, files=[*submission.files, *fetched])


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MAX_IDEMPOTENCY_CHARACTERS):
        raise BadRequest(
            f"Idempotency-Key: it must have 1 to {MAX_IDEMPOTENCY_CHARACTERS} characters."
        )
    return key
