"""Numbers of the whole store, for metrics."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from dsocr.jobs.store.tables import jobs

_UNFINISHED = ("queued", "running")
_SUMS = select(
    func.min(jobs.c.created_at).label("oldest"),
    func.coalesce(func.sum(jobs.c.pages_total - jobs.c.pages_done), 0).label("pending"),
    func.coalesce(func.sum(jobs.c.pages_done), 0).label("done"),
    func.coalesce(func.sum(jobs.c.pages_failed), 0).label("failed"),
).where(jobs.c.status.in_(_UNFINISHED))


@dataclass(frozen=True, slots=True)
class JobGauges:
    """Of the jobs that are not finished."""

    oldest_seconds: float
    """Since the oldest was accepted; 0 where there is none."""
    pages_pending: int
    pages_done: int
    pages_failed: int


def job_gauges(connection: Connection, now: float) -> JobGauges:
    row = connection.execute(_SUMS).one()
    oldest = max(0.0, now - row.oldest) if row.oldest is not None else 0.0
    return JobGauges(oldest, int(row.pending), int(row.done), int(row.failed))
