"""Every question about jobs. Each sees one moment; nothing here writes."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select, union_all

from dsocr.engines.registry import names_of
from dsocr.jobs.job import (
    FINISHED,
    ClaimRequest,
    Job,
    JobFile,
    JobNotFound,
    JobPage,
    PageNotFound,
    PageNotRead,
    PageSummary,
    Status,
    StoredPage,
    Todo,
)
from dsocr.jobs.store import records
from dsocr.jobs.store.tables import files, jobs, pages, processes
from dsocr.types import PageFailure

UNFINISHED = ("queued", "running")
NEWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs of a list."""

    owner: str | None = None
    """None sees all; others see their own and those of nobody."""
    status: Status | None = None
    search: str = ""
    """Part of a file name; case does not count."""
    limit: int = 50
    offset: int = 0


def listing(connection: Connection, wanted: Wanted, now: float) -> tuple[list[Job], int]:
    """Newest first, and how many there are in all."""
    ids = connection.scalars(_slice(wanted)).all()
    if len(ids) < wanted.limit and (ids or not wanted.offset):  # the last: no need to look again
        total = wanted.offset + len(ids)
    else:
        count = select(func.count()).select_from(_filtered(wanted).subquery())
        total = connection.scalar(count) or 0
    rows = connection.execute(_newest(select(jobs).where(jobs.c.id.in_(ids)))).all()
    return _jobs(connection, rows, now), total


def job(connection: Connection, job_id: str, now: float, owner: str | None = None) -> Job:
    """Raises `JobNotFound`, for a job of somebody else too."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).first()
    if row is None or owner not in (None, row.owner) and row.owner:
        raise JobNotFound()
    return _jobs(connection, [row], now)[0]


def job_pages(connection: Connection, job_id: str) -> list[JobPage]:
    rows = connection.execute(
        select(pages.c.number, pages.c.file, pages.c.file_page)
        .where(pages.c.job_id == job_id)
        .order_by(pages.c.number)
    )
    return [JobPage(*row) for row in rows]


def page(connection: Connection, job_id: str, index: int) -> StoredPage:
    """Raises `PageNotFound` and `PageNotRead`."""
    found = _stored(connection, job_id, index, index + 1)
    if not found:
        raise PageNotFound()
    stored = found[0]
    if stored is None:
        raise PageNotRead()
    return stored


def stored_pages(
    connection: Connection, job_id: str, first: int = 0, end: int | None = None
) -> list[StoredPage | None]:
    """The pages from `first` to before `end` in order; None stands for one that nobody has read."""
    return _stored(connection, job_id, first, end)


def todo(connection: Connection, job_id: str) -> list[Todo]:
    """What is to be read, most of it alike."""
    row = connection.execute(select(jobs.c.options, jobs.c.dpi).where(jobs.c.id == job_id)).first()
    if row is None:
        return []
    groups: dict[tuple[str, float | None], list[int]] = defaultdict(list)
    for number, options, dpi in connection.execute(
        select(pages.c.number, pages.c.options, pages.c.dpi)
        .where(pages.c.job_id == job_id, pages.c.wanted)
        .order_by(pages.c.number)
    ):
        own = (options, dpi) if options else (row.options, row.dpi)
        groups[own].append(number)
    return [
        Todo(records.options_of(options), dpi, tuple(numbers))
        for (options, dpi), numbers in groups.items()
    ]


def news(
    connection: Connection, job_id: str, after: int, now: float
) -> tuple[Job, list[PageSummary], bool]:
    """The job, the pages read since `after` in that order, and whether there are more."""
    state = job(connection, job_id, now)
    rows = connection.scalars(
        select(pages.c.news)
        .where(pages.c.job_id == job_id, pages.c.seq > after)
        .order_by(pages.c.seq)
        .limit(NEWS_AT_ONCE + 1)
    ).all()
    told = [records.news_of(text) for text in rows[:NEWS_AT_ONCE] if text]
    return state, told, len(rows) > NEWS_AT_ONCE


def seq(connection: Connection, job_id: str) -> int | None:
    """None for a job that is gone."""
    return connection.scalar(select(jobs.c.seq).where(jobs.c.id == job_id))


def next_job(connection: Connection, taker: ClaimRequest) -> str | None:
    """The job for this process: one that a lost process has left, or the first in line."""
    here = Counter(
        connection.scalars(
            select(jobs.c.owner).where(
                jobs.c.status == "running", jobs.c.leased_by == taker.process
            )
        ).all()
    )
    served = [owner for owner, count in here.items() if count >= taker.most_of_owner]
    left = connection.scalar(
        select(jobs.c.id)
        .where(jobs.c.status == "running", jobs.c.owner.not_in(served))
        .where(or_(jobs.c.leased_by.is_(None), jobs.c.leased_by.in_(list(taker.lost))))
        .where(_fits(taker.engine))
        .order_by(jobs.c.created_at)
        .limit(1)
    )
    return left or next(iter(line(connection, taker.engine, but=served)), None)


def line(
    connection: Connection, engine: str | None = None, *, but: Collection[str] = ()
) -> list[str]:
    """Queued jobs in the order they will begin: first come first served within an owner, owners
    with the fewest running jobs first; `but` those of some owners."""
    running = Counter(
        connection.scalars(select(jobs.c.owner).where(jobs.c.status == "running")).all()
    )
    question = select(jobs.c.owner, jobs.c.id).where(
        jobs.c.status == "queued", jobs.c.owner.not_in(list(but))
    )
    if engine is not None:
        question = question.where(_fits(engine))
    queued: dict[str, deque[str]] = defaultdict(deque)
    for owner, job_id in connection.execute(question.order_by(jobs.c.created_at, jobs.c.id)):
        queued[owner].append(job_id)
    order = []
    while queued:
        owner = min(queued, key=lambda name: running[name])
        order.append(queued[owner].popleft())
        running[owner] += 1
        if not queued[owner]:
            del queued[owner]
    return order


def held(connection: Connection, process: str) -> dict[str, int]:
    """The jobs that a process holds, with their epochs."""
    rows = connection.execute(
        select(jobs.c.id, jobs.c.epoch).where(
            jobs.c.leased_by == process, jobs.c.status == "running"
        )
    )
    return {job_id: epoch for job_id, epoch in rows}


def beats(connection: Connection) -> dict[str, int | None]:
    """How often each process that is known or holds a job has said that it is well."""
    holders = connection.scalars(
        select(jobs.c.leased_by).where(jobs.c.status == "running").distinct()
    ).all()
    known: dict[str, int | None] = {name: None for name in holders if name}
    return known | {row.id: row.beat for row in connection.execute(select(processes))}


def idempotent(connection: Connection, owner: str, key: str) -> tuple[str, str] | None:
    """The job and the fingerprint that this Idempotency-Key came with first."""
    row = connection.execute(
        select(jobs.c.id, jobs.c.fingerprint).where(
            jobs.c.owner == owner, jobs.c.idempotency_key == key
        )
    ).first()
    return (row.id, row.fingerprint) if row else None


def num_unfinished(connection: Connection, owner: str | None = None) -> int:
    question = select(func.count()).select_from(jobs).where(jobs.c.status.in_(UNFINISHED))
    if owner is not None:
        question = question.where(jobs.c.owner == owner)
    return connection.scalar(question) or 0


def count_by_status(connection: Connection) -> dict[str, int]:
    """Jobs by status; a status without jobs counts 0."""
    question = select(jobs.c.status, func.count()).group_by(jobs.c.status)
    counts = {status: count for status, count in connection.execute(question)}
    return {status: counts.get(status, 0) for status in get_args(Status)}


def num_bytes(connection: Connection) -> int:
    """Of the files of all jobs."""
    return connection.scalar(select(func.coalesce(func.sum(jobs.c.bytes), 0))) or 0


def finished_before(connection: Connection, moment: float, limit: int = 100) -> Sequence[str]:
    return connection.scalars(
        select(jobs.c.id)
        .where(jobs.c.finished_at <= moment)
        .order_by(jobs.c.finished_at)
        .limit(limit)
    ).all()


def known(connection: Connection, job_ids: Collection[str]) -> set[str]:
    """Those of them that are jobs."""
    return set(connection.scalars(select(jobs.c.id).where(jobs.c.id.in_(list(job_ids)))).all())


def callback_due(connection: Connection, now: float) -> bool:
    due = select(jobs.c.id).where(jobs.c.callback_due_at <= now).limit(1)
    return connection.scalar(due) is not None


def first_failure(connection: Connection, job_id: str) -> PageFailure | None:
    text = connection.scalar(
        select(pages.c.news)
        .where(pages.c.job_id == job_id, pages.c.failed)
        .order_by(pages.c.number)
        .limit(1)
    )
    return records.news_of(text).error if text else None


def _fits(engine: str) -> ColumnElement[bool]:
    return or_(jobs.c.wanted_engine.is_(None), jobs.c.wanted_engine.in_(names_of(engine)))


def _filtered(wanted: Wanted, owner: str | None = None) -> Select[Any]:
    """The ids that are wanted; of one `owner` alone, if given."""
    question = select(jobs.c.id)
    whose: ColumnElement[str] = jobs.c.owner
    its_status: ColumnElement[str] = jobs.c.status
    if wanted.search:
        question = question.where(jobs.c.names.contains(wanted.search.lower(), autoescape=True))
        # Expressions, so that no database answers from an index that lacks the names.
        whose, its_status = jobs.c.owner + "", jobs.c.status + ""
    if owner is not None:
        question = question.where(whose == owner)
    elif wanted.owner is not None:
        question = question.where(whose.in_((wanted.owner, "")))
    if wanted.status is not None:
        question = question.where(its_status == wanted.status)
    return question


def _slice(wanted: Wanted) -> Select[Any]:
    """The ids of one page of the list, out of indices that have them in this order."""
    if wanted.owner is None or wanted.search:
        return _newest(_filtered(wanted)).limit(wanted.limit).offset(wanted.offset)
    end = wanted.offset + wanted.limit
    parts = [
        _newest(_filtered(wanted, owner).add_columns(jobs.c.created_at)).limit(end).subquery()
        for owner in (wanted.owner, "")
    ]
    both = union_all(*map(select, parts)).subquery()
    newest = select(both.c.id).order_by(both.c.created_at.desc(), both.c.id.desc())
    return newest.limit(wanted.limit).offset(wanted.offset)


def _newest(question: Select[Any]) -> Select[Any]:
    return question.order_by(jobs.c.created_at.desc(), jobs.c.id.desc())


def _stored(
    connection: Connection, job_id: str, first: int, end: int | None
) -> list[StoredPage | None]:
    rows = connection.execute(select(files.c.number, files.c.name).where(files.c.job_id == job_id))
    names = {number: name for number, name in rows}
    question = select(pages).where(pages.c.job_id == job_id, pages.c.number >= first)
    if end is not None:
        question = question.where(pages.c.number < end)
    rows = connection.execute(question.order_by(pages.c.number))
    return [
        StoredPage(
            JobPage(row.number, row.file, row.file_page),
            names[row.file],
            row.seq,
            records.result_of(row.result),
            records.corrections_of(row.corrections),
        )
        if row.result is not None
        else None
        for row in rows
    ]


def _jobs(connection: Connection, rows: Sequence[Row[Any]], now: float) -> list[Job]:
    job_ids = [row.id for row in rows]
    of_job: dict[str, list[JobFile]] = defaultdict(list)
    for row in connection.execute(
        select(files).where(files.c.job_id.in_(job_ids)).order_by(files.c.job_id, files.c.number)
    ):
        of_job[row.job_id].append(
            JobFile(row.number, row.name, row.size, row.num_pages, row.password)
        )
    found = [_job(row, tuple(of_job[row.id])) for row in rows]
    if any(not each.finished for each in found):
        outlook = _Outlook(connection, now)
        found = [each if each.finished else outlook.on(each) for each in found]
    return found


def _job(row: Row[Any], its_files: tuple[JobFile, ...]) -> Job:
    error = None
    if row.error_code and row.status in FINISHED:  # while it is read again, nothing has failed yet
        error = PageFailure(row.error_code, row.error_message or "")
    return Job(
        id=row.id,
        owner=row.owner,
        status=row.status,
        options=records.options_of(row.options),
        dpi=row.dpi,
        engine=row.engine,
        model=row.model,
        files=its_files,
        pages_total=row.pages_total,
        pages_done=row.pages_done,
        pages_failed=row.pages_failed,
        seq=row.seq,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=error,
    )


class _Outlook:
    """Who is before whom, and how long it will take at the pace of the jobs that run."""

    def __init__(self, connection: Connection, now: float) -> None:
        self._line = line(connection)
        self._place = {job_id: place for place, job_id in enumerate(self._line, 1)}
        self._left: dict[str, int] = {}
        self._pace: dict[str, float] = {}
        """Pages a second of each running job."""
        for row in connection.execute(
            select(
                jobs.c.id,
                jobs.c.status,
                jobs.c.pages_total,
                jobs.c.pages_done,
                jobs.c.done_at_lease,
                jobs.c.leased_at,
            ).where(jobs.c.status.in_(UNFINISHED))
        ):
            self._left[row.id] = row.pages_total - row.pages_done
            done = row.pages_done - row.done_at_lease
            if row.status == "running" and done > 0:
                self._pace[row.id] = done / max(1e-3, now - row.leased_at)

    def on(self, job: Job) -> Job:
        if job.status == "running":
            pace = self._pace.get(job.id)
            return replace(job, eta_seconds=self._left.get(job.id, 0) / pace if pace else None)
        place = self._place.get(job.id)
        pace = sum(self._pace.values())
        if not pace or place is None:
            return replace(job, queue_position=place)
        behind = self._line[place:]
        ahead = sum(self._left.values()) - sum(self._left[other] for other in behind)
        return replace(job, queue_position=place, eta_seconds=ahead / pace)
