"""What happens to a job, told in order and from any moment on.

Events are not stored: every change of a job has a number, `seq`, that its pages carry, so what came
after a number can be told again at any time, by any process, after any restart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from dsocr.jobs.job import Job, JobNotFound, PageSummary
from dsocr.jobs.store import queries
from dsocr.jobs.store.database import Database

Told = Job | PageSummary


class JobNotifier:
    """Wakes those in this process who wait for a job to change."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self.closed = False
        """No more will come: the service stops."""

    def next(self, job_id: str) -> asyncio.Future[None]:
        """Done at the next change. Ask before you look, or you miss what comes in between."""
        future = self._waiting.get(job_id)
        if future is None:
            future = self._waiting[job_id] = asyncio.get_running_loop().create_future()
        return future

    def ring(self, job_id: str) -> None:
        future = self._waiting.pop(job_id, None)
        if future is not None and not future.done():
            future.set_result(None)

    def close(self) -> None:
        self.closed = True
        for job_id in list(self._waiting):
            self.ring(job_id)


async def follow(
    database: Database, bell: JobNotifier, job_id: str, *, after: int, poll_seconds: float
) -> AsyncIterator[Told]:
    """Pages in the order they were read and the job after each batch of them, until it is over.

    Ends without the job's end when the service stops or the job is deleted. Other processes do not
    ring our bell, so we look from time to time.
    """
    while not bell.closed:
        rung = bell.next(job_id)
        try:
            job, news, more = await database.read(queries.news, job_id, after, time.time())
        except JobNotFound:
            return
        for page in news:
            after = page.seq
            yield page
        if more:
            continue
        after = job.seq
        yield job
        if job.finished:
            return
        while not bell.closed:
            await asyncio.wait({rung}, timeout=poll_seconds)
            rung = bell.next(job_id)
            if await database.read(queries.seq, job_id) != after:
                break
