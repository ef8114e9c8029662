"""`/api/jobs`: submit documents to be read in the background, follow, correct and export them."""

from __future__ import annotations

import dataclasses
from contextlib import AsyncExitStack, nullcontext
from typing import Annotated, Any, BinaryIO

from fastapi import Body, Query, Request, Response
from starlette.responses import JSONResponse

from dsocr.config import MIB
from dsocr.errors import BadRequest, InvalidField
from dsocr.exports import FORMATS, format_of, public_name
from dsocr.jobs.events import JobEvent
from dsocr.jobs.job import Correction, Job
from dsocr.jobs.store.listing import JobFilter
from dsocr.jobs.submission import Submission
from dsocr.options import change_options
from dsocr.pipeline.events import PageDone, PageEvent
from dsocr.pipeline.pipeline import check_options
from dsocr.server.contracts.body import stored_data
from dsocr.server.deps import (
    Browser,
    Lister,
    Owner,
    RunningService,
    Service,
    locked_router,
    unless_disconnected,
)
from dsocr.server.download import download, file_name_of
from dsocr.server.forms import max_body_bytes, model_of, options_of, validate_form
from dsocr.server.received.uploads import Form, FormLimits, clean_name, received_form
from dsocr.server.route_attributes import body_limit
from dsocr.server.schemas.errors import error_answers
from dsocr.server.schemas.export import AvailableFormats, ExportLink, ExportQuery
from dsocr.server.schemas.jobs import (
    JOB_REQUEST_BODY,
    STATUSES,
    Corrections,
    JobAnswer,
    JobChanges,
    JobForm,
    JobList,
    JobPageAnswer,
    PageRetry,
)
from dsocr.server.serialize import (
    EventSerializer,
    serialize_job,
    serialize_page_summary,
    serialize_stored_page,
)
from dsocr.server.sse import Emit, EventStream
from dsocr.types import OcrOptions

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


@router.get(
    "/api/jobs/{job_id}/events",
    response_class=Response,
    summary="Follow a job",
    responses=error_answers(401, 404, 422),
)
async def events(
    job_id: str,
    request: Request,
    service: RunningService,
    owner: Owner,
    editor: Lister,
    live: Annotated[bool, Query(description="Also the text of pages while they are read")] = False,
) -> Response:
    """Server-sent events: `page_done` for each page, `job` when the job has changed, `done` with
    the job when it has finished. With `Last-Event-ID` the stream resumes after that event, also
    after a restart; 204 if there will be no more events. With `live` also `page`, `delta`, `block`
    and `page_reset`, as `/api/ocr` sends them: they are not stored, and are sent again from the
    start of a page that is being read."""
    after = _last_event_id(request)
    job = await service.jobs.get(job_id, owner)
    if job.finished and after >= job.seq:
        return Response(status_code=204)

    async def work(emit: Emit) -> None:
        pages = EventSerializer(job.pages_total)
        last = after

        def emit_live(event: PageEvent) -> None:
            if not isinstance(event, PageDone):  # `page_done` comes when the page is stored
                emit(*pages.serialize(event), last)

        with service.jobs.follow_live(job_id, emit_live) if live else nullcontext():
            async for event in service.jobs.follow(job_id, after):
                last = event.seq
                emit(*_serialize_event(event, editor), last)

    return EventStream(work, heartbeat_seconds=service.settings.server.heartbeat_seconds)


@router.get(
    "/api/jobs/{job_id}/pages/{index}",
    response_model=JobPageAnswer,
    summary="One page of a job",
    responses=error_answers(401, 404, 422),
)
async def page(job_id: str, index: int, service: RunningService, owner: Owner) -> Response:
    """`index` is the `pageIndex`: from 0 over all pages of the job, its files in order."""
    return JSONResponse(serialize_stored_page(await service.jobs.page(job_id, index, owner)))


@router.get(
    "/api/jobs/{job_id}/pages/{index}/image",
    response_class=Response,
    summary="The image of a page",
    responses=error_answers(401, 404, 413, 415, 422, 504),
)
async def page_image(
    job_id: str,
    index: int,
    request: Request,
    service: RunningService,
    owner: Owner,
    width: Annotated[
        int | None,
        Query(ge=64, le=4096, description="Most pixels in a row; PDFs are rendered for it"),
    ] = None,
    rotation: Annotated[
        int | None,
        Query(
            ge=0,
            le=270,
            multiple_of=90,
            description="Degrees clockwise; without it turned as the page was read",
        ),
    ] = None,
) -> Response:
    """A JPEG of the page as the engine gets it, also before the page was read."""
    rendered = service.jobs.image(job_id, index, owner, width=width, rotation=rotation)
    image = await unless_disconnected(
        request.receive, rendered
    )  # a page scrolled past is not needed
    return Response(image, media_type="image/jpeg")


@router.get(
    "/api/jobs/{job_id}/export",
    response_class=Response,
    summary="A job as a file",
    responses=error_answers(400, 401, 404, 422, 507),
)
async def export(
    job_id: str,
    service: RunningService,
    owner: Owner,
    query: Annotated[ExportQuery, Query()],
) -> Response:
    """Also before the job has finished: pages that were not read yet contain a note. Running heads
    that repeat over the pages are left out of the text; `headers=keep` keeps them."""
    return await _exported(job_id, service, owner, query)


@router.post(
    "/api/jobs/{job_id}/export",
    response_class=Response,
    summary="A job as a file, by options in a body",
    responses=error_answers(400, 401, 403, 404, 422, 507),
)
async def export_by_body(
    job_id: str, service: RunningService, owner: Owner, fields: ExportQuery
) -> Response:
    """As `GET`. A query may be logged on its way: send what is to be redacted in a body."""
    return await _exported(job_id, service, owner, fields)


@router.get(
    "/api/jobs/{job_id}/export/link",
    response_model=ExportLink,
    summary="A link to a job as a file",
    responses=error_answers(400, 401, 404, 422, 503, 507),
)
async def export_link(
    job_id: str,
    service: RunningService,
    owner: Owner,
    query: Annotated[ExportQuery, Query()],
) -> Response:
    """As the export, written into the object storage of the service and downloaded from there: the
    link needs no key and expires. 400 where files are stored in a folder."""
    format_of(query.format)
    options = query.options()
    job = await service.jobs.get(job_id, owner)
    name = file_name_of(public_name(job.name, options), query.format)
    seconds = service.settings.jobs.link_seconds
    url = await service.jobs.export_link(
        job_id, query.format, name, owner, options=options, seconds=seconds
    )
    return JSONResponse({"url": url, "expiresSeconds": seconds})


async def _exported(
    job_id: str, service: Service, owner: str | None, wanted: ExportQuery
) -> Response:
    format_of(wanted.format)
    options = wanted.options()
    job = await service.jobs.get(job_id, owner)

    async def write(out: BinaryIO) -> None:
        await service.jobs.export(job_id, wanted.format, out, owner, options=options)

    name = public_name(job.name, options)
    return await download(write, name, wanted.format, service.jobs.files.incoming)


@router.get(
    "/api/jobs/{job_id}/formats",
    response_model=AvailableFormats,
    summary="The formats that a job can be exported as",
    responses=error_answers(401, 404, 422),
)
async def formats(job_id: str, service: RunningService, owner: Owner) -> Response:
    """What a format needs is looked for in the first pages of a job; where a long job may have it
    later, it counts as there."""
    lacking = await service.jobs.missing_needs(job_id, owner)
    listed = [
        {"key": known.key, "missing": [need for need in known.needs if need in lacking]}
        for known in FORMATS
    ]
    return JSONResponse({"formats": listed})


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
    editor: Lister,
    changes: Annotated[PageRetry | None, Body()] = None,
    browser: Browser = None,
) -> Response:
    """The new result replaces the old one and its corrections, which become a version, when it is
    complete. A page with corrections is read again only with `discard_corrections`. A page that
    was turned stays so unless `rotation` says otherwise; its image and exports are turned too."""
    job = await service.jobs.editable(job_id, editor)
    changed = changes or PageRetry()
    options = _changed_options(job, changed, service)
    retried = await service.jobs.retry(
        job_id,
        index,
        options,
        changed.dpi or job.dpi,
        editor,
        rotation=changed.rotation,
        discard_corrections=changed.discard_corrections,
        followed=browser is not None,
    )
    return JSONResponse(serialize_job(retried), 202)


@router.patch(
    "/api/jobs/{job_id}/pages/{index}",
    response_model=JobPageAnswer,
    summary="Correct a page",
    responses=error_answers(400, 401, 403, 404, 408, 409, 413, 422),
)
async def correct(
    job_id: str, index: int, corrections: Corrections, service: RunningService, editor: Lister
) -> Response:
    """The engine's text is kept; exports use the correction."""
    changes = {
        block.id: None
        if block.text is None and block.label is None
        else Correction(block.text, block.label)
        for block in corrections.blocks
    }
    stored = await service.jobs.correct(job_id, index, changes, editor)
    return JSONResponse(serialize_stored_page(stored))


def _serialize_event(event: JobEvent, editor: str) -> tuple[str, dict[str, Any]]:
    """The name and the data of a stored event."""
    if not isinstance(event, Job):
        return "page_done", serialize_page_summary(event)
    return "done" if event.finished else "job", serialize_job(
        event, editable=event.is_editable(editor)
    )


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


def _changed_options(job: Job, changes: PageRetry, service: Service) -> OcrOptions:
    changed = change_options(
        job.options,
        service.settings.option_limits(),
        prompt=changes.prompt,
        mode=changes.mode,
        max_tokens=changes.max_tokens,
        temperature=changes.temperature,
        no_repeat_ngram=changes.no_repeat_ngram,
        languages=changes.languages,
    )
    info = service.models.info_of(job.wanted_engine)
    if info is not None:
        check_options(changed, info)
    return changed


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MAX_IDEMPOTENCY_CHARACTERS):
        raise BadRequest(
            f"Idempotency-Key: it must have 1 to {MAX_IDEMPOTENCY_CHARACTERS} characters."
        )
    return key


def _last_event_id(request: Request) -> int:
    """0, which is before the first event, if the header is missing. Raises `BadRequest`."""
    text: Any = request.headers.get("last-event-id") or "0"
    if not (text.isdecimal() and len(text) < 16):
        raise BadRequest("Last-Event-ID: this is not the id of an event.")
    return int(text)
