"""The events of a job, in order and from any event on.

Events are not stored: every change of a job has a number, `seq`, which its pages store too. So any
process can send what came after a number again, at any time and after any restart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from dsocr.jobs.job import Job, JobNotFound, PageSummary
from dsocr.jobs.store import queries
from dsocr.jobs.store.database import Database

JobEvent = Job | PageSummary
"""A page that was stored, or the new state of the job."""


class JobNotifier:
    """Wakes the tasks of this process that wait for a job to change."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self.on_change: Callable[[str], None] | None = None
        """Gets the id of each job that this process has changed."""
        self.closed = False
        """The service stops: there are no further notifications."""

    def next_change(self, job_id: str) -> asyncio.Future[None]:
        """Done at the next change. To miss none, call this before you read the job's state."""
        future = self._waiting.get(job_id)
        if future is None:
            future = self._waiting[job_id] = asyncio.get_running_loop().create_future()
        return future

    def notify(self, job_id: str) -> None:
        """This process has changed the job."""
        self.wake(job_id)
        if self.on_change is not None:
            self.on_change(job_id)

    def wake(self, job_id: str) -> None:
        """Wakes the tasks that wait for this job."""
        future = self._waiting.pop(job_id, None)
        if future is not None and not future.done():
            future.set_result(None)

    def close(self) -> None:
        self.closed = True
        for job_id in list(self._waiting):
            self.wake(job_id)


async def follow(
    database: Database, notifier: JobNotifier, job_id: str, *, after: int, poll_seconds: float
) -> AsyncIterator[JobEvent]:
    """Pages in the order they were stored, and the job after each batch, until it is finished.

    Stops before that when the service stops or the job is deleted. Changes by other processes may
    not reach this notifier, so the store is polled too.
    """
    while not notifier.closed:
        changed = notifier.next_change(job_id)
        try:
            job, summaries, more = await database.read(
                queries.changes_since, job_id, after, time.time()
            )
        except JobNotFound:
            return
        for page in summaries:
            after = page.seq
            yield page
        if more:
            continue
        after = job.seq
        yield job
        if job.finished:
            return
        while not notifier.closed:
            await asyncio.wait({changed}, timeout=poll_seconds)
            changed = notifier.next_change(job_id)
            if await database.read(queries.seq, job_id) != after:
                break
