"""What clients change: accept, cancel and remove jobs, requeue and correct pages.

Each function is one transaction. Statements are plain SQL, for any database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, case, delete, insert, select, update

from dsocr.errors import QueueFull
from dsocr.jobs.job import (
    FINISHED,
    Correction,
    IdempotencyConflict,
    JobConflict,
    JobNotFound,
    NewJob,
    PageNotFound,
    StoredPage,
)
from dsocr.jobs.store import queries, records, search, tables, versions
from dsocr.jobs.store.callbacks import due_at
from dsocr.jobs.store.locks import ACCEPTING, lock, lock_job
from dsocr.jobs.store.tables import files, jobs, pages
from dsocr.types import OcrOptions

# Made once: a new statement costs more time than its execution.
_INSERT_JOB, _INSERT_FILE, _INSERT_PAGE = insert(jobs), insert(files), insert(pages)


def accept(
    connection: Connection,
    new: NewJob,
    now: float,
    *,
    max_unfinished: int,
    max_of_owner: int | None,
) -> str:
    """The id of the job: of an earlier one, if its Idempotency-Key came with the same request.

    Raises `IdempotencyConflict` and `QueueFull`.
    """
    lock(connection, ACCEPTING)
    if new.idempotency_key is not None:
        first = queries.idempotent(connection, new.owner, new.idempotency_key)
        if first is not None:
            if first[1] != new.fingerprint:
                raise IdempotencyConflict()
            return first[0]
    if queries.num_unfinished(connection) >= max_unfinished:
        raise QueueFull("Too many jobs are unfinished; try again later.")
    most = max_of_owner
    if most and queries.num_unfinished(connection, new.owner) >= most:
        raise QueueFull(f"This key has {most} unfinished jobs already; wait for one to finish.")
    _insert(connection, new, now)
    return new.id


def cancel(connection: Connection, job_id: str, now: float) -> None:
    """Raises `JobNotFound`, and `JobConflict` for a finished job."""
    seq = connection.scalar(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.status.in_(("queued", "running")))
        .values(
            status="cancelled",
            finished_at=now,
            leased_by=None,
            epoch=jobs.c.epoch + 1,
            seq=jobs.c.seq + 1,
            callback_due_at=due_at(now),
        )
        .returning(jobs.c.seq)
    )
    if seq is None:
        raise JobConflict(f"The job is {_locked_status(connection, job_id)} already.")
    connection.execute(update(pages).where(pages.c.job_id == job_id).values(wanted=False))


def remove(connection: Connection, job_id: str) -> None:
    """Deletes every row of the job. Raises `JobNotFound`."""
    if not connection.execute(delete(jobs).where(jobs.c.id == job_id)).rowcount:
        raise JobNotFound()
    for table in (files, pages, tables.versions, tables.page_texts):
        connection.execute(delete(table).where(table.c.job_id == job_id))


def rename(connection: Connection, job_id: str, name: str) -> None:
    """Names the job, which has the name of its first file. Raises `JobNotFound`."""
    _locked_status(connection, job_id)
    first = update(files).where(files.c.job_id == job_id, files.c.number == 0)
    connection.execute(first.values(name=name))
    names = select(files.c.name).where(files.c.job_id == job_id).order_by(files.c.number)
    values = {"names": _searched(connection.scalars(names)), "seq": jobs.c.seq + 1}
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))


def requeue_page(
    connection: Connection,
    job_id: str,
    index: int,
    options: OcrOptions,
    dpi: float | None,
    *,
    rotation: int | None = None,
    discard_corrections: bool = False,
) -> None:
    """Makes a page pending again; its result stays until the new one is stored. It is read turned
    by `rotation` degrees; None: as it is now.

    Raises `JobNotFound`, `PageNotFound`, and `JobConflict` for a page that is pending already or
    has corrections, which belong to the result that the new one replaces.
    """
    status = _locked_status(connection, job_id)
    present = _check_requeue(connection, job_id, index, discard_corrections)
    options = replace(options, rotation=present if rotation is None else rotation)
    connection.execute(
        update(pages)
        .where(pages.c.job_id == job_id, pages.c.number == index)
        .values(wanted=True, options=records.options_to_text(options), dpi=dpi)
    )
    values = {"seq": jobs.c.seq + 1}
    if status != "running":
        values |= _queued_again()
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))


def resume(connection: Connection, job_id: str) -> None:
    """Queues the unread pages of a job that has ended.

    Raises `JobNotFound`, and `JobConflict` for a job that has not ended or has none.
    """
    status = _locked_status(connection, job_id)
    if status not in FINISHED:
        raise JobConflict(f"The job is {status} already.")
    unread = pages.c.result.is_(None)
    again = update(pages).where(pages.c.job_id == job_id, unread).values(wanted=True)
    if not connection.execute(again).rowcount:
        raise JobConflict("Every page of the job has been read.")
    values = {"seq": jobs.c.seq + 1, **_queued_again(), "error_code": None, "error_message": None}
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))


def correct(
    connection: Connection,
    job_id: str,
    index: int,
    changes: Mapping[int, Correction | None],
    now: float,
) -> None:
    """Stores corrections beside the engine's blocks; None removes one. The former state of the page
    becomes a version.

    Raises `PageNotRead`, `PageNotFound`, also for a block that does not exist, and `JobConflict`
    for a pending page: its next result would replace the corrected one.
    """
    lock_job(connection, job_id)
    stored = queries.page(connection, job_id, index)
    pending = select(pages.c.wanted).where(pages.c.job_id == job_id, pages.c.number == index)
    if connection.scalar(pending):
        raise JobConflict("The page is being read again: correct it when that is done.")
    corrections = _merged(stored, changes)
    versions.keep(connection, job_id, index, now)
    seq = connection.scalar(
        update(jobs).where(jobs.c.id == job_id).values(seq=jobs.c.seq + 1).returning(jobs.c.seq)
    )
    assert seq is not None
    summary = records.summarize(stored.page, stored.file_name, seq, stored.result)
    connection.execute(
        update(pages)
        .where(pages.c.job_id == job_id, pages.c.number == index)
        .values(
            corrections=records.corrections_to_text(corrections),
            seq=seq,
            news=records.summary_to_text(summary),
        )
    )
    search.index_page(connection, job_id, index, stored.result, corrections)


def _insert(connection: Connection, new: NewJob, now: float) -> None:
    connection.execute(_INSERT_JOB, _job_row(new, now))
    connection.execute(_INSERT_FILE, _file_rows(new))
    connection.execute(_INSERT_PAGE, _page_rows(new))


def _job_row(new: NewJob, now: float) -> dict[str, Any]:
    return {
        "id": new.id,
        "owner": new.owner,
        "status": "queued",
        "names": _searched(file.name for file in new.files),
        "bytes": sum(file.size for file in new.files),
        "options": records.options_to_text(new.options),
        "dpi": new.dpi,
        "wanted_engine": new.wanted_engine,
        "engine": new.engine,
        "model": "",
        "pages_total": len(new.pages),
        "pages_done": 0,
        "pages_failed": 0,
        "seq": 1,
        "created_at": now,
        "epoch": 0,
        "done_at_lease": 0,
        "idempotency_key": new.idempotency_key,
        "fingerprint": new.fingerprint,
        "callback_url": new.callback_url,
        "callback_tries": 0,
    }


def _searched(names: Iterable[str]) -> str:
    """The names of a job's files as they are searched."""
    return "\n".join(names).lower()


def _file_rows(new: NewJob) -> list[dict[str, Any]]:
    return [
        {
            "job_id": new.id,
            "number": file.number,
            "name": file.name,
            "size": file.size,
            "num_pages": file.num_pages,
            "password": file.password,
        }
        for file in new.files
    ]


def _page_rows(new: NewJob) -> list[dict[str, Any]]:
    return [
        {
            "job_id": new.id,
            "number": page.index,
            "file": page.file,
            "file_page": page.file_page,
            "wanted": True,
            "failed": False,
        }
        for page in new.pages
    ]


def _check_requeue(
    connection: Connection, job_id: str, index: int, discard_corrections: bool
) -> int:
    """The rotation of the page."""
    has_corrections = pages.c.corrections.is_not(None)
    page = connection.execute(
        select(pages.c.wanted, has_corrections, pages.c.read_options).where(
            pages.c.job_id == job_id, pages.c.number == index
        )
    ).first()
    if page is None:
        raise PageNotFound()
    pending, corrected, read_options = page
    if pending:
        raise JobConflict("The page waits to be read already.")
    if corrected and not discard_corrections:
        raise JobConflict(
            "The page has corrections, which reading it again discards: "
            "set discard_corrections to true to allow that."
        )
    return records.rotation_of(read_options)


def _queued_again() -> dict[str, Any]:
    """What changes in a job that does not run. One that ended early keeps its error."""
    ended_early = jobs.c.pages_done < jobs.c.pages_total
    return {
        "status": "queued",
        "started_at": None,  # its time is that of the pages that are read now
        "finished_at": None,
        "error_code": case((ended_early, jobs.c.error_code), else_=None),
        "error_message": case((ended_early, jobs.c.error_message), else_=None),
        "callback_due_at": None,
        "callback_tries": 0,
    }


def _merged(stored: StoredPage, changes: Mapping[int, Correction | None]) -> dict[int, Correction]:
    corrections = dict(stored.corrections)
    for block, correction in changes.items():
        if not 0 <= block < len(stored.result.blocks):
            raise PageNotFound(f"The page has no block {block}.")
        corrections.pop(block, None)
        if correction is not None:
            corrections[block] = correction
    return corrections


def _locked_status(connection: Connection, job_id: str) -> str:
    """Raises `JobNotFound`."""
    status = lock_job(connection, job_id)
    if status is None:
        raise JobNotFound()
    return status
