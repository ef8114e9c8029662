"""Every change of a job, each one transaction. Statements are plain SQL, for any database.

Only the holder of a job's newest lease may write its pages. The check and the write are one
transaction, so whoever slept through the loss of the lease cannot harm his successor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, select, update

from dsocr.errors import QueueFull
from dsocr.jobs.job import (
    ClaimRequest,
    Correction,
    IdempotencyConflict,
    JobConflict,
    JobNotFound,
    JobPage,
    Lease,
    NewJob,
    PageNotFound,
    Status,
)
from dsocr.jobs.store import queries, records
from dsocr.jobs.store.tables import files, jobs, pages, processes
from dsocr.types import OcrOptions, PageFailure, PageResult

FIRST_CALLBACK_PAUSE_SECONDS = 10
LONGEST_CALLBACK_PAUSE_SECONDS = 3600


class LeaseLost(Exception):
    """Somebody else has this job now, or it was cancelled or deleted."""


def accept(
    connection: Connection, new: NewJob, now: float, *, most: int, most_of_owner: int | None
) -> str:
    """The id of the job: another's, if its Idempotency-Key was seen with the same request.

    Raises `IdempotencyConflict` and `QueueFull`.
    """
    if new.idempotency_key is not None:
        first = queries.idempotent(connection, new.owner, new.idempotency_key)
        if first is not None:
            if first[1] != new.fingerprint:
                raise IdempotencyConflict()
            return first[0]
    if queries.num_unfinished(connection) >= most:
        raise QueueFull("Too many jobs are waiting.")
    if most_of_owner and queries.num_unfinished(connection, new.owner) >= most_of_owner:
        raise QueueFull(f"This key has {most_of_owner} unfinished jobs already.")
    connection.execute(insert(jobs), _job_row(new, now))
    connection.execute(
        insert(files),
        [
            {
                "job_id": new.id,
                "number": file.number,
                "name": file.name,
                "size": file.size,
                "num_pages": file.num_pages,
                "password": file.password,
            }
            for file in new.files
        ],
    )
    connection.execute(
        insert(pages),
        [
            {
                "job_id": new.id,
                "number": page.index,
                "file": page.file,
                "file_page": page.file_page,
                "wanted": True,
                "failed": False,
            }
            for page in new.pages
        ],
    )
    return new.id


def claim(connection: Connection, taker: ClaimRequest, now: float) -> Lease | None:
    """Takes what `queries.next_job` says."""
    job_id = queries.next_job(connection, taker)
    if job_id is None:
        return None
    epoch = connection.scalar(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(
            status="running",
            leased_by=taker.process,
            epoch=jobs.c.epoch + 1,
            seq=jobs.c.seq + 1,
            started_at=func.coalesce(jobs.c.started_at, now),
            leased_at=now,
            done_at_lease=jobs.c.pages_done,
        )
        .returning(jobs.c.epoch)
    )
    assert epoch is not None
    return Lease(job_id, epoch)


def name_engine(connection: Connection, lease: Lease, engine: str, model: str) -> None:
    """Records who reads it. Raises `LeaseLost`."""
    _change_held(connection, lease, engine=engine, model=model)


def store_page(connection: Connection, lease: Lease, result: PageResult) -> None:
    """The page's result, in place of an earlier one and what was corrected in it.

    Raises `LeaseLost`.
    """
    place = (pages.c.job_id == lease.job_id) & (pages.c.number == result.index)
    failed = result.error is not None
    before = connection.execute(
        select(
            pages.c.result.is_not(None),
            pages.c.failed,
            pages.c.file,
            pages.c.file_page,
            files.c.name,
        )
        .join(files, (files.c.job_id == pages.c.job_id) & (files.c.number == pages.c.file))
        .where(place)
    ).first()
    if before is None:
        raise LeaseLost()
    was_there, had_failed, file, file_page, name = before
    seq = _change_held(
        connection,
        lease,
        pages_done=jobs.c.pages_done + (not was_there),
        pages_failed=jobs.c.pages_failed + int(failed) - int(had_failed),
    )
    page = JobPage(result.index, file, file_page)
    news = records.news_about(page, name, seq, result)
    connection.execute(
        update(pages)
        .where(place)
        .values(
            wanted=False,
            options=None,
            dpi=None,
            seq=seq,
            failed=failed,
            news=records.news_to_text(news),
            result=records.result_to_text(result),
            corrections=None,
        )
    )


def finish(connection: Connection, lease: Lease, now: float) -> bool:
    """Ends the job when every page is read; False when some are still wanted.

    Raises `LeaseLost`.
    """
    total, done, failed, code, message = connection.execute(
        select(
            jobs.c.pages_total,
            jobs.c.pages_done,
            jobs.c.pages_failed,
            jobs.c.error_code,
            jobs.c.error_message,
        ).where(jobs.c.id == lease.job_id)
    ).first() or (0, 0, 0, None, None)
    wanted = select(pages.c.number).where(pages.c.job_id == lease.job_id, pages.c.wanted).limit(1)
    if connection.scalar(wanted) is not None:
        return False
    if done < total:  # a page was read again of a job that had ended early, which it stays
        before = PageFailure(code, message or "") if code else None
        _end(connection, lease, "failed" if before else "cancelled", now, before)
    elif failed < total:
        _end(connection, lease, "succeeded", now, None)
    else:
        first = queries.first_failure(connection, lease.job_id)
        _end(connection, lease, "failed", now, first)
    return True


def fail(connection: Connection, lease: Lease, failure: PageFailure, now: float) -> None:
    """Ends the job because it cannot be read at all. Raises `LeaseLost`."""
    _end(connection, lease, "failed", now, failure)
    connection.execute(update(pages).where(pages.c.job_id == lease.job_id).values(wanted=False))


def cancel(connection: Connection, job_id: str, now: float) -> None:
    """Raises `JobNotFound`, and `JobConflict` for a job that is over."""
    seq = connection.scalar(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.status.in_(("queued", "running")))
        .values(
            status="cancelled",
            finished_at=now,
            leased_by=None,
            epoch=jobs.c.epoch + 1,
            seq=jobs.c.seq + 1,
            callback_due_at=_due(now),
        )
        .returning(jobs.c.seq)
    )
    if seq is None:
        raise JobConflict(f"The job is {_status(connection, job_id)} already.")
    connection.execute(update(pages).where(pages.c.job_id == job_id).values(wanted=False))


def remove(connection: Connection, job_id: str) -> None:
    """Every row of it. Raises `JobNotFound`."""
    if not connection.execute(delete(jobs).where(jobs.c.id == job_id)).rowcount:
        raise JobNotFound()
    for table in (files, pages):
        connection.execute(delete(table).where(table.c.job_id == job_id))


def requeue_page(
    connection: Connection,
    job_id: str,
    index: int,
    options: OcrOptions,
    dpi: float | None,
    *,
    discard_corrections: bool = False,
) -> None:
    """Has a page read again; its result stands until the new one is there.

    Raises `JobNotFound`, `PageNotFound`, and `JobConflict` for a page that nobody has read yet, or
    whose corrections would go with the result that they were made in.
    """
    status = _status(connection, job_id)
    page = connection.execute(
        select(pages.c.wanted, pages.c.corrections.is_not(None)).where(
            pages.c.job_id == job_id, pages.c.number == index
        )
    ).first()
    if page is None:
        raise PageNotFound()
    wanted, corrected = page
    if wanted:
        raise JobConflict("The page waits to be read already.")
    if corrected and not discard_corrections:
        raise JobConflict(
            "The page has corrections, which reading it again would discard: "
            "say discard_corrections if that is meant."
        )
    connection.execute(
        update(pages)
        .where(pages.c.job_id == job_id, pages.c.number == index)
        .values(wanted=True, options=records.options_to_text(options), dpi=dpi)
    )
    ended_early = jobs.c.pages_done < jobs.c.pages_total
    values: dict[str, Any] = {"seq": jobs.c.seq + 1}
    if status != "running":
        values |= {
            "status": "queued",
            "finished_at": None,
            "error_code": case((ended_early, jobs.c.error_code), else_=None),
            "error_message": case((ended_early, jobs.c.error_message), else_=None),
            "callback_due_at": None,
            "callback_tries": 0,
        }
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))


def correct(
    connection: Connection, job_id: str, index: int, changes: Mapping[int, Correction | None]
) -> None:
    """Lays corrections beside the engine's blocks; None takes one back.

    Raises `PageNotRead`, `PageNotFound`, also for a block that is not there, and `JobConflict` for
    a page that is being read again: the correction would go with the old result.
    """
    stored = queries.page(connection, job_id, index)
    wanted = select(pages.c.wanted).where(pages.c.job_id == job_id, pages.c.number == index)
    if connection.scalar(wanted):
        raise JobConflict("The page is being read again: correct what comes of it.")
    corrections = dict(stored.corrections)
    for block, correction in changes.items():
        if not 0 <= block < len(stored.result.blocks):
            raise PageNotFound(f"The page has no block {block}.")
        corrections.pop(block, None)
        if correction is not None:
            corrections[block] = correction
    seq = connection.scalar(
        update(jobs).where(jobs.c.id == job_id).values(seq=jobs.c.seq + 1).returning(jobs.c.seq)
    )
    assert seq is not None
    news = records.news_about(stored.page, stored.file_name, seq, stored.result)
    connection.execute(
        update(pages)
        .where(pages.c.job_id == job_id, pages.c.number == index)
        .values(
            corrections=records.corrections_to_text(corrections),
            seq=seq,
            news=records.news_to_text(news),
        )
    )


def beat(connection: Connection, process: str) -> None:
    """Says that this process is well."""
    changed = connection.execute(
        update(processes).where(processes.c.id == process).values(beat=processes.c.beat + 1)
    )
    if not changed.rowcount:
        connection.execute(insert(processes).values(id=process, beat=0))


def leave(connection: Connection, process: str) -> None:
    """Gives back what a process holds, for others to go on with."""
    connection.execute(update(jobs).where(jobs.c.leased_by == process).values(leased_by=None))
    connection.execute(delete(processes).where(processes.c.id == process))


def give_back(connection: Connection, lease: Lease) -> None:
    """Lets whoever comes next have the job, where the lease still holds."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == lease.job_id, jobs.c.epoch == lease.epoch)
        .values(leased_by=None)
    )


def take_callback(connection: Connection, now: float) -> tuple[str, str, int] | None:
    """A job whose callback is due, its URL, and which try this is. The next try is set already,
    so that nobody else takes it meanwhile and none is forgotten if we die."""
    row = connection.execute(
        select(jobs.c.id, jobs.c.callback_url, jobs.c.callback_tries)
        .where(jobs.c.callback_due_at <= now)
        .order_by(jobs.c.callback_due_at)
        .limit(1)
    ).first()
    if row is None:
        return None
    job_id, url, tries = row
    pause = min(FIRST_CALLBACK_PAUSE_SECONDS * 2**tries, LONGEST_CALLBACK_PAUSE_SECONDS)
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(callback_tries=tries + 1, callback_due_at=now + pause)
    )
    return job_id, url, tries + 1


def end_callback(connection: Connection, job_id: str) -> None:
    """It was delivered, or is given up."""
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(callback_due_at=None))


def _job_row(new: NewJob, now: float) -> dict[str, Any]:
    return {
        "id": new.id,
        "owner": new.owner,
        "status": "queued",
        "names": "\n".join(file.name for file in new.files).lower(),
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


def _change_held(connection: Connection, lease: Lease, **values: Any) -> int:
    """Changes the job if the lease still holds; its new `seq`."""
    seq: int | None = connection.scalar(
        update(jobs)
        .where(jobs.c.id == lease.job_id, jobs.c.epoch == lease.epoch, jobs.c.status == "running")
        .values(seq=jobs.c.seq + 1, **values)
        .returning(jobs.c.seq)
    )
    if seq is None:
        raise LeaseLost()
    return seq


def _end(
    connection: Connection, lease: Lease, status: Status, now: float, error: PageFailure | None
) -> None:
    _change_held(
        connection,
        lease,
        status=status,
        finished_at=now,
        leased_by=None,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
        callback_due_at=_due(now),
    )


def _due(now: float) -> Any:
    """Now, for a job that has somebody to call back."""
    return case((jobs.c.callback_url.is_not(None), now), else_=None)


def _status(connection: Connection, job_id: str) -> str:
    status: str | None = connection.scalar(select(jobs.c.status).where(jobs.c.id == job_id))
    if status is None:
        raise JobNotFound()
    return status
