"""What workers change: heartbeats, claims of jobs, and what the holder of a lease writes.

Each function is one transaction. Only the holder of a job's newest lease may write its pages: the
check and the write are in the same transaction, so a worker that lost its lease while it was
stopped cannot overwrite the pages of the next holder.
"""

from __future__ import annotations

from sqlalchemy import Connection, Float, bindparam, delete, func, insert, select, update

from dsocr.jobs.job import ClaimRequest, JobPage, Lease, Status
from dsocr.jobs.store import queries, records, search, versions
from dsocr.jobs.store.callbacks import due_at
from dsocr.jobs.store.locks import CLAIMING, lock, lock_job
from dsocr.jobs.store.picking import JobPicker
from dsocr.jobs.store.queue_order import UNFINISHED
from dsocr.jobs.store.tables import files, jobs, pages, processes
from dsocr.types import PageFailure, PageResult

# Made once: a new statement costs more time than its execution.
_CLAIM = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"), jobs.c.status.in_(UNFINISHED))
    .values(
        status="running",
        leased_by=bindparam("worker"),
        engine=bindparam("by_engine"),
        model=bindparam("by_model"),
        epoch=jobs.c.epoch + 1,
        seq=jobs.c.seq + 1,
        started_at=func.coalesce(jobs.c.started_at, bindparam("now")),
        leased_at=bindparam("now"),
        done_at_lease=jobs.c.pages_done,
    )
    .returning(jobs.c.epoch)
)

_update_leased = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("job"),
        jobs.c.epoch == bindparam("lease_epoch"),
        jobs.c.status == "running",
    )
    .values(seq=jobs.c.seq + 1)
    .returning(jobs.c.seq)
)
"""Changes a job and returns its new `seq`, if the lease is still its newest."""
_SET_ENGINE = _update_leased.values(engine=bindparam("by_engine"), model=bindparam("by_model"))
_COUNT_PAGE = _update_leased.values(
    pages_done=jobs.c.pages_done + bindparam("done"),
    pages_failed=jobs.c.pages_failed + bindparam("failed"),
)
_END = _update_leased.values(
    status=bindparam("end_status"),
    finished_at=bindparam("now"),
    leased_by=None,
    error_code=bindparam("code"),
    error_message=bindparam("message"),
    callback_due_at=due_at(bindparam("now", type_=Float)),
)
_COUNTS = select(
    jobs.c.pages_total,
    jobs.c.pages_done,
    jobs.c.pages_failed,
    jobs.c.error_code,
    jobs.c.error_message,
).where(jobs.c.id == bindparam("job"))
_page = (pages.c.job_id == bindparam("job")) & (pages.c.number == bindparam("page"))
_PAGE_BEFORE = (
    select(
        pages.c.wanted,
        pages.c.result.is_not(None),
        pages.c.failed,
        pages.c.file,
        pages.c.file_page,
        pages.c.options,
        files.c.name,
    )
    .join(files, (files.c.job_id == pages.c.job_id) & (files.c.number == pages.c.file))
    .where(_page)
)
_RESULT = select(pages.c.result).where(_page)
_STORE_PAGE = (
    update(pages)
    .where(_page)
    .values(
        wanted=False,
        read_options=pages.c.options,
        options=None,
        dpi=None,
        seq=bindparam("page_seq"),
        failed=bindparam("page_failed"),
        news=bindparam("summary"),
        result=bindparam("page_result"),
        corrections=None,
    )
)
_FIRST_PENDING = (
    select(pages.c.number).where(pages.c.job_id == bindparam("job"), pages.c.wanted).limit(1)
)


class LeaseLost(Exception):
    """Another worker has claimed this job, or it was cancelled or deleted."""


def heartbeat(connection: Connection, worker: str) -> None:
    """Counts one more heartbeat of this worker."""
    changed = connection.execute(
        update(processes).where(processes.c.id == worker).values(beat=processes.c.beat + 1)
    )
    if not changed.rowcount:
        connection.execute(insert(processes).values(id=worker, beat=0))


def heartbeats(connection: Connection) -> dict[str, int | None]:
    """The number of heartbeats of each worker; None for one that holds a job and sent none."""
    holders = connection.scalars(
        select(jobs.c.leased_by).where(jobs.c.status == "running").distinct()
    ).all()
    counts: dict[str, int | None] = {worker: None for worker in holders if worker}
    return counts | {row.id: row.beat for row in connection.execute(select(processes))}


def leases_of(connection: Connection, worker: str) -> dict[str, int]:
    """The jobs that a worker holds, with their epochs."""
    rows = connection.execute(
        select(jobs.c.id, jobs.c.epoch).where(
            jobs.c.leased_by == worker, jobs.c.status == "running"
        )
    )
    return {job_id: epoch for job_id, epoch in rows}


def claim(connection: Connection, request: ClaimRequest, now: float, *, limit: int) -> list[Lease]:
    """Leases on the jobs that `JobPicker` picks, at most `limit`."""
    lock(connection, CLAIMING)
    picker = JobPicker(connection, request, limit)
    by = {
        "worker": request.worker,
        "by_engine": request.engine,
        "by_model": request.model,
        "now": now,
    }
    found: list[Lease] = []
    while len(found) < limit and (job_id := picker.next()) is not None:
        epoch = connection.scalar(_CLAIM, {"job": job_id, **by})
        if epoch is not None:  # it was not cancelled meanwhile
            found.append(Lease(job_id, epoch, picker.has_recovered))
    return found


def release_job(connection: Connection, lease: Lease) -> None:
    """Frees the job for the next claim, if the lease is still its newest."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == lease.job_id, jobs.c.epoch == lease.epoch)
        .values(leased_by=None)
    )


def release_worker(connection: Connection, worker: str) -> None:
    """Frees all jobs of a worker and forgets its heartbeats."""
    lock(connection, CLAIMING)
    held = (jobs.c.leased_by == worker) & jobs.c.status.in_(UNFINISHED)
    connection.execute(update(jobs).where(held).values(leased_by=None))
    connection.execute(delete(processes).where(processes.c.id == worker))


def set_engine(connection: Connection, lease: Lease, engine: str, model: str) -> None:
    """Records another engine than the one at the claim. Raises `LeaseLost`."""
    values = {"job": lease.job_id, "lease_epoch": lease.epoch}
    changed = {"by_engine": engine, "by_model": model}
    if connection.scalar(_SET_ENGINE, values | changed) is None:
        raise LeaseLost()


def store_page(connection: Connection, lease: Lease, result: PageResult, now: float) -> None:
    """Stores the page's result; an earlier one becomes a version, with its corrections.

    A page that has this result and is not pending was stored by a commit whose answer was lost.
    Raises `LeaseLost`.
    """
    key = {"job": lease.job_id, "page": result.index}
    before = connection.execute(_PAGE_BEFORE, key).first()
    if before is None:
        raise LeaseLost()
    wanted, was_done, had_failed, file, file_page, options, name = before
    seq = connection.scalar(
        _COUNT_PAGE,
        {
            "job": lease.job_id,
            "lease_epoch": lease.epoch,
            "done": int(not was_done),
            "failed": int(result.error is not None) - int(had_failed),
        },
    )
    if seq is None:
        raise LeaseLost()
    stored_result = records.result_to_text(result)
    if was_done and not wanted and connection.scalar(_RESULT, key) == stored_result:
        return
    if was_done:
        versions.keep(connection, lease.job_id, result.index, now)
    page = JobPage(result.index, file, file_page, records.rotation_of(options))
    summary = records.summarize(page, name, seq, result)
    stored = {
        "page_seq": seq,
        "page_failed": result.error is not None,
        "summary": records.summary_to_text(summary),
        "page_result": stored_result,
    }
    connection.execute(_STORE_PAGE, key | stored)
    search.index_page(connection, lease.job_id, result.index, result)


def store_last_page(connection: Connection, lease: Lease, result: PageResult, now: float) -> bool:
    """`store_page` and `finish` in one transaction: whether the job has ended."""
    store_page(connection, lease, result, now)
    return finish(connection, lease, now)


def finish(connection: Connection, lease: Lease, now: float) -> bool:
    """Ends the job when no page is pending; False while some are.

    Raises `LeaseLost`.
    """
    lock_job(connection, lease.job_id)  # so that no page becomes pending meanwhile
    if connection.scalar(_FIRST_PENDING, {"job": lease.job_id}) is not None:
        return False
    status, error = _outcome(connection, lease.job_id)
    _end(connection, lease, status, now, error)
    return True


def fail(connection: Connection, lease: Lease, failure: PageFailure, now: float) -> None:
    """Ends the job with an error of the job itself. Raises `LeaseLost`."""
    _end(connection, lease, "failed", now, failure)
    connection.execute(update(pages).where(pages.c.job_id == lease.job_id).values(wanted=False))


def _outcome(connection: Connection, job_id: str) -> tuple[Status, PageFailure | None]:
    """The final status of a job without pending pages, and its error."""
    total, done, failed, code, message = connection.execute(_COUNTS, {"job": job_id}).first() or (
        0,
        0,
        0,
        None,
        None,
    )
    if done < total:  # it had ended early, and then one of its pages was read again
        return ("failed", PageFailure(code, message or "")) if code else ("cancelled", None)
    if failed < total:
        return "succeeded", None
    return "failed", queries.first_failure(connection, job_id)


def _end(
    connection: Connection, lease: Lease, status: Status, now: float, error: PageFailure | None
) -> None:
    values = {
        "job": lease.job_id,
        "lease_epoch": lease.epoch,
        "end_status": status,
        "now": now,
        "code": error.code if error else None,
        "message": error.message if error else None,
    }
    if connection.scalar(_END, values) is None:
        raise LeaseLost()
