"""The schedule of callbacks: which are due, and when one is tried again or given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Connection, case, select, update

from dsocr.jobs.store.tables import jobs

FIRST_PAUSE_SECONDS = 10
MAX_PAUSE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class DueCallback:
    """A callback to send now. `attempt` counts from 1."""

    job_id: str
    url: str
    attempt: int


def due_at(now: float | BindParameter[float]) -> Any:
    """The value of `callback_due_at` when a job ends: now, if it has a callback."""
    return case((jobs.c.callback_url.is_not(None), now), else_=None)


def is_due(connection: Connection, now: float) -> bool:
    """Whether any callback is due."""
    due = select(jobs.c.id).where(jobs.c.callback_due_at <= now).limit(1)
    return connection.scalar(due) is not None


def claim(connection: Connection, now: float) -> DueCallback | None:
    """The callback that is due first. Its next attempt is scheduled in the same transaction: no
    other process sends it meanwhile, and it is sent again if this process dies."""
    row = connection.execute(
        select(jobs.c.id, jobs.c.callback_url, jobs.c.callback_tries)
        .where(jobs.c.callback_due_at <= now)
        .order_by(jobs.c.callback_due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    job_id, url, tries = row
    pause = min(FIRST_PAUSE_SECONDS * 2**tries, MAX_PAUSE_SECONDS)
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(callback_tries=tries + 1, callback_due_at=now + pause)
    )
    return DueCallback(job_id, url, tries + 1)


def end(connection: Connection, job_id: str) -> None:
    """Schedules no further attempt: it was delivered, or had its last attempt."""
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(callback_due_at=None))
