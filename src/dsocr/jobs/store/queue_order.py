"""The order in which queued jobs start, and estimates of when jobs are done."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, func, or_, select

from dsocr.engines.registry import names_of
from dsocr.jobs.job import ClaimRequest, Job
from dsocr.jobs.store.tables import jobs

UNFINISHED = ("queued", "running")


def next_job(connection: Connection, request: ClaimRequest) -> str | None:
    """The job to claim: one that a lost worker has left, or the first of the queue."""
    full = _full_owners(connection, request)
    left = connection.scalar(
        select(jobs.c.id)
        .where(jobs.c.status == "running", jobs.c.owner.not_in(full))
        .where(or_(jobs.c.leased_by.is_(None), jobs.c.leased_by.in_(list(request.lost_workers))))
        .where(_fits(request.engine))
        .order_by(jobs.c.created_at)
        .limit(1)
    )
    return left or _first_queued(connection, request.engine, full)


def _first_queued(connection: Connection, engine: str, exclude: Collection[str]) -> str | None:
    """The first job of `queue_order` that the engine may read, of owners not in `exclude`."""
    waiting = (jobs.c.status == "queued") & jobs.c.owner.not_in(list(exclude)) & _fits(engine)
    first_at = func.min(jobs.c.created_at)
    owners = connection.scalars(
        select(jobs.c.owner).where(waiting).group_by(jobs.c.owner).order_by(first_at)
    ).all()
    if not owners:
        return None
    running = _num_running(connection)
    owner = min(owners, key=lambda name: running[name])
    first: str | None = connection.scalar(
        select(jobs.c.id)
        .where(waiting, jobs.c.owner == owner)
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(1)
    )
    return first


def _num_running(connection: Connection) -> Counter[str]:
    """Running jobs by owner."""
    rows = connection.execute(
        select(jobs.c.owner, func.count()).where(jobs.c.status == "running").group_by(jobs.c.owner)
    )
    return Counter({owner: num for owner, num in rows})


def _full_owners(connection: Connection, request: ClaimRequest) -> list[str]:
    """Owners whose running jobs are enough for this worker."""
    running_here = connection.execute(
        select(jobs.c.owner, func.count(), func.sum(jobs.c.pages_total - jobs.c.pages_done))
        .where(jobs.c.status == "running", jobs.c.leased_by == request.worker)
        .group_by(jobs.c.owner)
    )
    enough = math.inf if request.enough_pages is None else request.enough_pages
    return [
        owner
        for owner, num_jobs, pages_left in running_here
        if num_jobs >= request.max_jobs_of_owner
        or (num_jobs >= request.few_jobs and pages_left >= enough)
    ]


def queue_order(connection: Connection) -> list[str]:
    """Queued jobs in the order they start: first come first served within an owner, owners with
    the fewest running jobs first."""
    running = _num_running(connection)
    queued = _queued_by_owner(connection)
    order = []
    while queued:
        owner = min(queued, key=lambda name: running[name])
        order.append(queued[owner].popleft())
        running[owner] += 1
        if not queued[owner]:
            del queued[owner]
    return order


def _queued_by_owner(connection: Connection) -> dict[str, deque[str]]:
    query = select(jobs.c.owner, jobs.c.id).where(jobs.c.status == "queued")
    queued: dict[str, deque[str]] = defaultdict(deque)
    for owner, job_id in connection.execute(query.order_by(jobs.c.created_at, jobs.c.id)):
        queued[owner].append(job_id)
    return queued


def _fits(engine: str) -> ColumnElement[bool]:
    return or_(jobs.c.wanted_engine.is_(None), jobs.c.wanted_engine.in_(names_of(engine)))


class EtaEstimator:
    """Queue positions, and times left at the pages per second of the jobs that run now."""

    def __init__(self, connection: Connection, now: float) -> None:
        self._queue = queue_order(connection)
        self._position = {job_id: position for position, job_id in enumerate(self._queue, 1)}
        self._pages_left: dict[str, int] = {}
        self._pages_per_second: dict[str, float] = {}
        """Of each running job."""
        self._load(connection, now)

    def estimate(self, job: Job) -> Job:
        """The unfinished job with its `queue_position` and `eta_seconds`."""
        if job.status == "running":
            rate = self._pages_per_second.get(job.id)
            left = self._pages_left.get(job.id, 0)
            return replace(job, eta_seconds=left / rate if rate else None)
        position = self._position.get(job.id)
        rate = sum(self._pages_per_second.values())
        if not rate or position is None:
            return replace(job, queue_position=position)
        later = sum(self._pages_left[other] for other in self._queue[position:])
        left = sum(self._pages_left.values()) - later
        return replace(job, queue_position=position, eta_seconds=left / rate)

    def _load(self, connection: Connection, now: float) -> None:
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
            self._pages_left[row.id] = row.pages_total - row.pages_done
            done = row.pages_done - row.done_at_lease
            if row.status == "running" and done > 0:
                self._pages_per_second[row.id] = done / max(1e-3, now - row.leased_at)
