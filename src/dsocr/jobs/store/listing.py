"""The list of jobs: filtered, newest first, one slice at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, union_all

from dsocr.jobs.job import Job, Status
from dsocr.jobs.store.queries import jobs_of_rows
from dsocr.jobs.store.tables import jobs


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs of the list."""

    owner: str | None = None
    """None sees all jobs; an owner sees its own and those without an owner, which "" sees alone."""
    status: Status | None = None
    search: str = ""
    """Part of a file name; case does not count."""
    limit: int = 50
    offset: int = 0


def list_jobs(connection: Connection, wanted: JobFilter, now: float) -> tuple[list[Job], int]:
    """The jobs, newest first, and the total number that the filter matches."""
    ids = connection.scalars(_slice(wanted)).all()
    if len(ids) < wanted.limit and (ids or not wanted.offset):  # the last slice: no count needed
        total = wanted.offset + len(ids)
    else:
        count = select(func.count()).select_from(_filtered(wanted).subquery())
        total = connection.scalar(count) or 0
    rows = connection.execute(_newest(select(jobs).where(jobs.c.id.in_(ids)))).all()
    return jobs_of_rows(connection, rows, now), total


def _slice(wanted: JobFilter) -> Select[Any]:
    """The ids of one slice, from indices that have them in this order."""
    if wanted.owner is None or wanted.search:
        return _newest(_filtered(wanted)).limit(wanted.limit).offset(wanted.offset)
    end = wanted.offset + wanted.limit
    parts = [
        _newest(_filtered(wanted, owner).add_columns(jobs.c.created_at)).limit(end).subquery()
        for owner in {wanted.owner, ""}
    ]
    both = union_all(*map(select, parts)).subquery()
    newest = select(both.c.id).order_by(both.c.created_at.desc(), both.c.id.desc())
    return newest.limit(wanted.limit).offset(wanted.offset)


def _filtered(wanted: JobFilter, owner: str | None = None) -> Select[Any]:
    """The ids that match; of this `owner` alone, if given."""
    query = select(jobs.c.id)
    owner_column: ColumnElement[str] = jobs.c.owner
    status_column: ColumnElement[str] = jobs.c.status
    if wanted.search:
        query = query.where(jobs.c.names.contains(wanted.search.lower(), autoescape=True))
        # Expressions, so that the database does not choose an index without the names.
        owner_column, status_column = jobs.c.owner + "", jobs.c.status + ""
    if owner is not None:
        query = query.where(owner_column == owner)
    elif wanted.owner is not None:
        query = query.where(owner_column.in_((wanted.owner, "")))
    if wanted.status is not None:
        query = query.where(status_column == wanted.status)
    return query


def _newest(query: Select[Any]) -> Select[Any]:
    return query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
