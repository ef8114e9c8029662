"""Reads of jobs and their pages. Each is one snapshot; nothing here writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, get_args

from sqlalchemy import Connection, Row, bindparam, func, select

from dsocr.jobs.job import (
    FINISHED,
    Job,
    JobFile,
    JobNotFound,
    JobPage,
    PageBatch,
    PageNotFound,
    PageNotRead,
    PageSummary,
    Status,
    StoredPage,
)
from dsocr.jobs.store import records
from dsocr.jobs.store.queue_order import UNFINISHED, EtaEstimator, seconds_left
from dsocr.jobs.store.tables import files, jobs, pages
from dsocr.types import OcrOptions, PageFailure

MAX_SUMMARIES = 500
"""Of one call of `changes_since`."""

# Statements made once: a new one costs more time than the query.
_JOB = select(jobs).where(jobs.c.id == bindparam("job_id"))
_OPTIONS = select(jobs.c.options, jobs.c.dpi).where(jobs.c.id == bindparam("job_id"))
_FILES = (
    select(files)
    .where(files.c.job_id.in_(bindparam("job_ids", expanding=True)))
    .order_by(files.c.job_id, files.c.number)
)
_PAGES = (
    select(pages.c.number, pages.c.file, pages.c.file_page, pages.c.read_options)
    .where(pages.c.job_id == bindparam("job_id"))
    .order_by(pages.c.number)
)
_PENDING = (
    select(pages.c.number, pages.c.options, pages.c.dpi)
    .where(pages.c.job_id == bindparam("job_id"), pages.c.wanted)
    .order_by(pages.c.number)
)
_NUM_UNFINISHED = select(func.count()).select_from(jobs).where(jobs.c.status.in_(UNFINISHED))


def job(connection: Connection, job_id: str, now: float, owner: str | None = None) -> Job:
    """Raises `JobNotFound`, also for a job of another owner."""
    row = connection.execute(_JOB, {"job_id": job_id}).first()
    if row is None or owner not in (None, row.owner) and row.owner:
        raise JobNotFound()
    return jobs_of_rows(connection, [row], now)[0]


def job_pages(connection: Connection, job_id: str) -> list[JobPage]:
    return [_job_page(row) for row in connection.execute(_PAGES, {"job_id": job_id})]


def job_to_read(
    connection: Connection, job_id: str, now: float
) -> tuple[Job, list[JobPage], list[PageBatch]]:
    """The job, all its pages and its `pending_pages`. Raises `JobNotFound`."""
    found = job(connection, job_id, now)
    return found, job_pages(connection, job_id), pending_pages(connection, job_id)


def page(connection: Connection, job_id: str, index: int) -> StoredPage:
    """Raises `PageNotFound` and `PageNotRead`."""
    found = stored_pages(connection, job_id, index, index + 1)
    if not found:
        raise PageNotFound()
    stored = found[0]
    if stored is None:
        raise PageNotRead()
    return stored


def stored_pages(
    connection: Connection, job_id: str, first: int = 0, end: int | None = None
) -> list[StoredPage | None]:
    """The pages from `first` to before `end` in order; None for one that was not read yet."""
    rows = connection.execute(select(files.c.number, files.c.name).where(files.c.job_id == job_id))
    names = {number: name for number, name in rows}
    query = select(pages).where(pages.c.job_id == job_id, pages.c.number >= first)
    if end is not None:
        query = query.where(pages.c.number < end)
    found = connection.execute(query.order_by(pages.c.number)).all()
    return [None if row.result is None else _stored_page(row, names) for row in found]


def options(connection: Connection, job_id: str) -> OcrOptions:
    """Of the job. Raises `JobNotFound`."""
    row = connection.execute(_OPTIONS, {"job_id": job_id}).first()
    if row is None:
        raise JobNotFound()
    return records.options_of(row.options)


def pending_pages(connection: Connection, job_id: str) -> list[PageBatch]:
    """The pages that are still to be read, in batches with the same options."""
    row = connection.execute(_OPTIONS, {"job_id": job_id}).first()
    if row is None:
        return []
    batches: dict[tuple[str, float | None], list[int]] = defaultdict(list)
    for number, options, dpi in connection.execute(_PENDING, {"job_id": job_id}):
        key = (options, dpi) if options else (row.options, row.dpi)
        batches[key].append(number)
    return [
        PageBatch(records.options_of(options), dpi, tuple(numbers))
        for (options, dpi), numbers in batches.items()
    ]


def changes_since(
    connection: Connection, job_id: str, after: int, now: float
) -> tuple[Job, list[PageSummary], bool]:
    """The job, the pages stored since event `after` in that order, and whether there are more."""
    state = job(connection, job_id, now)
    texts = connection.scalars(
        select(pages.c.news)
        .where(pages.c.job_id == job_id, pages.c.seq > after)
        .order_by(pages.c.seq)
        .limit(MAX_SUMMARIES + 1)
    ).all()
    summaries = [records.summary_of(text) for text in texts[:MAX_SUMMARIES] if text]
    return state, summaries, len(texts) > MAX_SUMMARIES


def seq(connection: Connection, job_id: str) -> int | None:
    """The number of the job's newest event; None for a job that was removed."""
    return connection.scalar(select(jobs.c.seq).where(jobs.c.id == job_id))


def idempotent(connection: Connection, owner: str, key: str) -> tuple[str, str] | None:
    """The id and the fingerprint of the job that this Idempotency-Key came with first."""
    row = connection.execute(
        select(jobs.c.id, jobs.c.fingerprint).where(
            jobs.c.owner == owner, jobs.c.idempotency_key == key
        )
    ).first()
    return (row.id, row.fingerprint) if row else None


def num_unfinished(connection: Connection, owner: str | None = None) -> int:
    if owner is None:
        return connection.scalar(_NUM_UNFINISHED) or 0
    return connection.scalar(_NUM_UNFINISHED.where(jobs.c.owner == owner)) or 0


def count_by_status(connection: Connection) -> dict[str, int]:
    """Jobs by status; a status without jobs counts 0."""
    query = select(jobs.c.status, func.count()).group_by(jobs.c.status)
    counts = {status: count for status, count in connection.execute(query)}
    return {status: counts.get(status, 0) for status in get_args(Status)}


def num_bytes(connection: Connection) -> int:
    """Bytes of the files of all jobs."""
    return int(connection.scalar(select(func.coalesce(func.sum(jobs.c.bytes), 0))) or 0)


def finished_before(connection: Connection, moment: float, limit: int = 100) -> Sequence[str]:
    return connection.scalars(
        select(jobs.c.id)
        .where(jobs.c.finished_at <= moment)
        .order_by(jobs.c.finished_at)
        .limit(limit)
    ).all()


def existing_ids(connection: Connection, job_ids: Collection[str]) -> set[str]:
    """Those of the ids that a job has."""
    return set(connection.scalars(select(jobs.c.id).where(jobs.c.id.in_(list(job_ids)))).all())


def first_failure(connection: Connection, job_id: str) -> PageFailure | None:
    text = connection.scalar(
        select(pages.c.news)
        .where(pages.c.job_id == job_id, pages.c.failed)
        .order_by(pages.c.number)
        .limit(1)
    )
    return records.summary_of(text).error if text else None


def jobs_of_rows(connection: Connection, rows: Sequence[Row[Any]], now: float) -> list[Job]:
    """Rows of `jobs` as jobs with their files; unfinished ones with position and estimate."""
    files_of = _files_by_job(connection, [row.id for row in rows])
    found = [_job(row, tuple(files_of[row.id]), now) for row in rows]
    if all(each.status != "queued" for each in found):
        return found
    estimator = EtaEstimator(connection, now)
    return [estimator.estimate(each) if each.status == "queued" else each for each in found]


def _files_by_job(connection: Connection, job_ids: Sequence[str]) -> dict[str, list[JobFile]]:
    found: dict[str, list[JobFile]] = defaultdict(list)
    for row in connection.execute(_FILES, {"job_ids": job_ids}):
        file = JobFile(row.number, row.name, row.size, row.num_pages, row.password)
        found[row.job_id].append(file)
    return found


def _job(row: Row[Any], job_files: tuple[JobFile, ...], now: float) -> Job:
    error = None
    if row.error_code and row.status in FINISHED:  # a job that runs again has not failed yet
        error = PageFailure(row.error_code, row.error_message or "")
    return Job(
        id=row.id,
        owner=row.owner,
        status=row.status,
        options=records.options_of(row.options),
        dpi=row.dpi,
        engine=row.engine,
        model=row.model,
        files=job_files,
        pages_total=row.pages_total,
        pages_done=row.pages_done,
        pages_failed=row.pages_failed,
        seq=row.seq,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=error,
        wanted_engine=row.wanted_engine,
        eta_seconds=seconds_left(row, now) if row.status == "running" else None,
    )


def _job_page(row: Any) -> JobPage:
    return JobPage(row.number, row.file, row.file_page, records.rotation_of(row.read_options))


def _stored_page(row: Any, names: dict[int, str]) -> StoredPage:
    return StoredPage(
        _job_page(row),
        names[row.file],
        row.seq,
        records.result_of(row.result),
        records.corrections_of(row.corrections),
    )
