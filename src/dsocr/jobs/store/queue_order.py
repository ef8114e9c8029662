"""The order in which queued jobs start, and estimates of when jobs are done."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    Connection,
    Float,
    Row,
    bindparam,
    case,
    func,
    select,
)

from dsocr.jobs.job import Job
from dsocr.jobs.store.tables import jobs

UNFINISHED = ("queued", "running")
LEAST_SECONDS = 1e-3
"""A job that has run for less counts as having run for this long."""

# Statements made once: a new one costs more time than the query.
_NUM_RUNNING = (
    select(jobs.c.owner, func.count()).where(jobs.c.status == "running").group_by(jobs.c.owner)
)
_QUEUED = (
    select(jobs.c.owner, jobs.c.id, jobs.c.pages_total - jobs.c.pages_done)
    .where(jobs.c.status == "queued")
    .order_by(jobs.c.created_at, jobs.c.id)
)
_seconds = bindparam("now", type_=Float) - jobs.c.leased_at
_num_done = jobs.c.pages_done - jobs.c.done_at_lease
_rate = _num_done / case((_seconds > LEAST_SECONDS, _seconds), else_=LEAST_SECONDS)
_PROGRESS = (
    select(
        jobs.c.owner,
        func.count(),
        func.sum(jobs.c.pages_total - jobs.c.pages_done),
        func.sum(case((_num_done > 0, _rate), else_=0.0)),
    )
    .where(jobs.c.status == "running")
    .group_by(jobs.c.owner)
)


def _num_running(connection: Connection) -> Counter[str]:
    """Running jobs by owner."""
    return Counter({owner: num for owner, num in connection.execute(_NUM_RUNNING)})


def queue_order(connection: Connection) -> list[str]:
    """Queued jobs in the order they start: first come first served within an owner, owners with
    the fewest running jobs first."""
    return [job_id for job_id, _ in _queue(connection, _num_running(connection))]


def _queue(connection: Connection, running: Counter[str]) -> list[tuple[str, int]]:
    """`queue_order`, each job with its number of unread pages. Counts the jobs in `running`."""
    queued = _queued_by_owner(connection)
    order = []
    while queued:
        owner = min(queued, key=lambda name: running[name])
        order.append(queued[owner].popleft())
        running[owner] += 1
        if not queued[owner]:
            del queued[owner]
    return order


def _queued_by_owner(connection: Connection) -> dict[str, deque[tuple[str, int]]]:
    """Queued jobs with their number of unread pages, in the order they came."""
    queued: dict[str, deque[tuple[str, int]]] = defaultdict(deque)
    for owner, job_id, pages_left in connection.execute(_QUEUED):
        queued[owner].append((job_id, pages_left))
    return queued


class EtaEstimator:
    """Queue positions of queued jobs, and times left at the pages per second of the jobs that run
    now. Reads the queue and a sum of the running jobs."""

    def __init__(self, connection: Connection, now: float) -> None:
        running: Counter[str] = Counter()
        self._pages_per_second, pages_left = 0.0, 0
        for owner, num_jobs, left, rate in connection.execute(_PROGRESS, {"now": now}):
            running[owner] = num_jobs
            pages_left += left
            self._pages_per_second += rate
        self._places: dict[str, tuple[int, int]] = {}
        """Of each queued job: its position, and the unread pages up to its end."""
        for position, (job_id, left) in enumerate(_queue(connection, running), 1):
            pages_left += left
            self._places[job_id] = position, pages_left

    def estimate(self, job: Job) -> Job:
        """The queued job with its `queue_position` and `eta_seconds`."""
        position, pages_left = self._places[job.id]
        rate = self._pages_per_second
        eta = pages_left / rate if rate else None
        return replace(job, queue_position=position, eta_seconds=eta)


def seconds_left(row: Row[Any], now: float) -> float | None:
    """Of a running job, by its row, at its own pages per second; None before its first page."""
    done = row.pages_done - row.done_at_lease
    if done <= 0:
        return None
    seconds = max(LEAST_SECONDS, now - row.leased_at)
    return float((row.pages_total - row.pages_done) * seconds / done)
