"""`/api/jobs/{job_id}/events`: a job is followed while it is read."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated, Any

from fastapi import Query, Request, Response

from dsocr.errors import BadRequest
from dsocr.jobs.events import JobEvent
from dsocr.jobs.job import Job
from dsocr.pipeline.events import PageDone, PageEvent
from dsocr.server.deps import Lister, Owner, RunningService, locked_router
from dsocr.server.schemas.errors import error_answers
from dsocr.server.serialize import EventSerializer, serialize_job, serialize_page_summary
from dsocr.server.sse import Emit, EventStream

router = locked_router("jobs")


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


def _serialize_event(event: JobEvent, editor: str) -> tuple[str, dict[str, Any]]:
    """The name and the data of a stored event."""
    if not isinstance(event, Job):
        return "page_done", serialize_page_summary(event)
    return "done" if event.finished else "job", serialize_job(
        event, editable=event.is_editable(editor)
    )


def _last_event_id(request: Request) -> int:
    """0, which is before the first event, if the header is missing. Raises `BadRequest`."""
    text: Any = request.headers.get("last-event-id") or "0"
    if not (text.isdecimal() and len(text) < 16):
        raise BadRequest("Last-Event-ID: this is not the id of an event.")
    return int(text)
