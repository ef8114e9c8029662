"""Tasks of contracts that answer later: each is a job of the queue.

A task's id is its job's id followed by the options of its result, so that nothing else is stored
and any process can answer. The options only choose how an own job is written.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import dataclasses
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dsocr.jobs.job import Job
from dsocr.jobs.submission import ReceivedFile, Submission
from dsocr.server.contracts.reading import Reading, invalid_pages_as_fields
from dsocr.server.deps import Service
from dsocr.server.problems import NotFound
from dsocr.types import OcrOptions, ReadOptions

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_ID_CHARACTERS = 2000


def task_id(job: Job, options: BaseModel) -> str:
    fields = options.model_dump(exclude_defaults=True)
    packed = base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode())
    return job.id + (f".{packed.decode().rstrip('=')}" if fields else "")


def parse_task_id(text: str, kind: type[ModelT]) -> tuple[str, ModelT]:
    """The job's id, and the options. Raises `NotFound`."""
    job_id, _, packed = text.partition(".")
    if len(text) > MAX_ID_CHARACTERS:
        raise NotFound()
    try:
        fields = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)) or "{}")
        return job_id, kind.model_validate(fields)
    except (binascii.Error, ValueError, ValidationError, RecursionError) as error:
        raise NotFound() from error


async def submit(
    service: Service,
    owner: str | None,
    files: Sequence[ReceivedFile],
    options: OcrOptions,
    pages: str | None = None,
) -> Job:
    """Raises what `JobQueue.submit` raises; `InvalidField` for pages."""
    submission = Submission(
        files=files,
        read=ReadOptions(options, pages),
        engine=service.host.selection.name,
        owner=owner or "",
    )
    with invalid_pages_as_fields():
        return await service.jobs.submit(submission)


async def job_after(service: Service, job_id: str, owner: str | None, seconds: float) -> Job:
    """The job once it has finished, or after this time. Raises `JobNotFound`."""
    job = await service.jobs.get(job_id, owner)
    if job.finished or seconds <= 0:
        return job

    async def end() -> None:
        async for _ in service.jobs.follow(job_id, job.seq):
            pass

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(end(), seconds)
    return await service.jobs.get(job_id, owner)


async def readings_of(service: Service, job: Job) -> list[Reading]:
    """The documents of a finished job, one a file."""
    stored = await service.jobs.stored_document(job.id)
    pages = await asyncio.to_thread(tuple, stored.document.pages)
    starts = [
        place
        for place, number in enumerate(stored.file_pages)
        if not place or number <= stored.file_pages[place - 1]
    ]
    readings = []
    for file, first, end in zip(job.files, starts, [*starts[1:], len(pages)], strict=False):
        document = dataclasses.replace(
            stored.document, name=file.name, pages=pages[first:end], page_names=()
        )
        numbers = stored.file_pages[first:end]
        readings.append(Reading(document, numbers, [None] * len(numbers), stored.assets))
    return readings


def timestamp(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC."""
    if seconds is None:
        return None
    utc = datetime.fromtimestamp(seconds, timezone.utc)
    return utc.isoformat(timespec="seconds").replace("+00:00", "Z")


def failure_message(job: Job) -> str:
    """Why the job has no result."""
    if job.error is not None:
        return job.error.message
    return "The task was cancelled." if job.status == "cancelled" else "No page could be read."


def shape_of_detail(message: str, **more: Any) -> dict[str, Any]:
    """The errors of services on FastAPI."""
    return {"detail": message, **more}
