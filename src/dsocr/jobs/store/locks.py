"""Locks of a transaction, for databases that run several at once. SQLite runs one write at a time
and needs none."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, select

from dsocr.jobs.store.tables import jobs

MIGRATING, ACCEPTING, CLAIMING = 0x6473_0000, 0x6473_0001, 0x6473_0002
"""Numbers of locks that no other program at the database is likely to use."""

# Made once: a new statement costs more time than its execution.
_ADVISORY = select(func.pg_advisory_xact_lock(bindparam("key")))
_JOB = select(jobs.c.status).where(jobs.c.id == bindparam("job")).with_for_update()


def lock(connection: Connection, number: int) -> None:
    """Waits for other transactions with this lock, and holds it to the end of this one."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ADVISORY, {"key": number})


def lock_job(connection: Connection, job_id: str) -> str | None:
    """The status of the job, which no other transaction changes until the end of this one; None
    if there is no such job. A command that changes a job calls this before it reads anything."""
    status: str | None = connection.scalar(_JOB, {"job": job_id})
    return status
