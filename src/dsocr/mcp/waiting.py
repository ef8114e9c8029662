"""Waits for a job, with progress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio

from dsocr.errors import DsocrError
from dsocr.mcp.service import Json, Service

FINISHED = ("succeeded", "failed", "cancelled")
POLL_SECONDS = 0.2
MAX_POLL_SECONDS = 2.0

Report = Callable[[float, float | None, str | None], Awaitable[None]]
"""Pages that are done, all pages, and a message."""


async def wait_for(service: Service, job: Json, seconds: float, report: Report) -> Json:
    """The job when it has finished, or as it is after so many seconds."""
    deadline = time.monotonic() + seconds
    pause = POLL_SECONDS
    shown = -1
    while True:
        if job["pagesDone"] != shown:
            shown, pause = job["pagesDone"], POLL_SECONDS
            total = job["pagesTotal"]
            await report(shown, total, f"{shown} of {total} pages")
        left = deadline - time.monotonic()
        if job["status"] in FINISHED or left <= 0:
            return job
        await asyncio.sleep(min(pause, left))
        pause = min(1.5 * pause, MAX_POLL_SECONDS)
        job = await service.job(job["jobId"])


async def wait_for_own(service: Service, job: Json, seconds: float, report: Report) -> Json:
    """As `wait_for`; a caller that disconnects or cancels the call cancels the job."""
    try:
        return await wait_for(service, job, seconds, report)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True), suppress(DsocrError):
            await service.cancel(job["jobId"])
        raise
