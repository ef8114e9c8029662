"""Which jobs a worker claims next: fair among owners, within the limits of the worker."""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Any

from sqlalchemy import Boolean, Connection, Integer, bindparam, case, func, or_, select

from dsocr.engines.registry import names_of
from dsocr.jobs.job import ClaimRequest
from dsocr.jobs.store.tables import jobs

# Made once: a new statement costs more time than the query.
_pages_left = jobs.c.pages_total - jobs.c.pages_done
_is_here = jobs.c.leased_by == bindparam("worker")
_RUNNING = (
    select(
        jobs.c.owner,
        func.count(),
        func.sum(case((_is_here, 1), else_=0)),
        func.sum(case((_is_here, _pages_left), else_=0)),
        func.sum(case((jobs.c.leased_by.is_(None), 1), else_=0)),
    )
    .where(jobs.c.status == "running")
    .group_by(jobs.c.owner)
)
_may_claim = or_(
    jobs.c.wanted_engine.is_(None) & bindparam("has_default", type_=Boolean),
    jobs.c.wanted_engine.in_(bindparam("engines", expanding=True)),
) & jobs.c.owner.not_in(bindparam("full_owners", expanding=True))
"""The engine may read the job, and its owner has room for it."""
_CANDIDATE = select(
    jobs.c.id, jobs.c.owner, jobs.c.status, jobs.c.created_at, _pages_left.label("pages_left")
).where(_may_claim)
_LEFT = (
    _CANDIDATE.where(jobs.c.status == "running")
    .where(or_(jobs.c.leased_by.is_(None), jobs.c.leased_by.in_(bindparam("lost", expanding=True))))
    .order_by(jobs.c.created_at)
    .limit(1)
)
_OWNERS = (
    select(jobs.c.owner, func.min(jobs.c.created_at))
    .where(jobs.c.status == "queued", _may_claim)
    .group_by(jobs.c.owner)
)
_QUEUE = (
    _CANDIDATE.where(jobs.c.status == "queued", jobs.c.owner == bindparam("of_owner"))
    .order_by(jobs.c.created_at, jobs.c.id)
    .limit(bindparam("most", type_=Integer))
)
_ANY_QUEUED = select(jobs.c.id).where(jobs.c.status == "queued").limit(1)
_ANY_LEFT = select(jobs.c.id).where(jobs.c.status == "running", jobs.c.leased_by.is_(None)).limit(1)


class JobPicker:
    """The jobs to claim in this transaction, one after the other: those that lost workers have
    left, then the queue.

    Each owner's jobs are claimed in the order they came, and the owner with the fewest running jobs
    gets the next one; of equals, the one whose job is older.
    """

    def __init__(self, connection: Connection, request: ClaimRequest, limit: int) -> None:
        """Picks at most `limit` jobs."""
        self._connection = connection
        self._request = request
        self._limit = limit
        self._shares = _Shares(connection, request)
        self._may_have_left = self._shares.any_left or bool(request.lost_workers)
        self._first_at: dict[str, float] | None = None
        """When the first queued job of each owner came; None: not read yet."""
        self._queues: dict[str, deque[Any]] = {}
        """Queued jobs of the owners that got one, without those that were picked."""
        self.has_recovered = False
        """Whether the last job was left by a worker, and is not of the queue."""

    def next(self) -> str | None:
        """None when there is none. The caller claims the job before it asks for the next one."""
        left = self._next_left()
        self.has_recovered = left is not None
        job = left or self._next_queued()
        if job is None:
            return None
        self._shares.add(job)
        job_id: str = job.id
        return job_id

    def _next_left(self) -> Any | None:
        """The oldest job without a holder, or whose holder is lost."""
        if not self._may_have_left:
            return None
        lost = list(self._request.lost_workers)
        found = self._connection.execute(_LEFT, {"lost": lost, **self._may_claim()}).first()
        self._may_have_left = found is not None
        return found

    def _next_queued(self) -> Any | None:
        first_at = self._first_at
        if first_at is None:
            first_at = self._first_at = self._read_owners()
        owners = [owner for owner in first_at if self._shares.has_room(owner)]
        if not owners:
            return None
        owner = min(owners, key=lambda name: (self._shares.running[name], first_at[name]))
        if owner not in self._queues:
            self._queues[owner] = self._read_queue(owner)
        queue = self._queues[owner]
        job = queue.popleft()
        if queue:
            first_at[owner] = queue[0].created_at
        else:
            del first_at[owner]
        return job

    def _read_owners(self) -> dict[str, float]:
        rows = self._connection.execute(_OWNERS, self._may_claim())
        return {owner: first_at for owner, first_at in rows}

    def _read_queue(self, owner: str) -> deque[Any]:
        wanted = {"of_owner": owner, "most": self._limit, **self._may_claim()}
        return deque(self._connection.execute(_QUEUE, wanted).all())

    def _may_claim(self) -> dict[str, Any]:
        """Parameters of `_may_claim`."""
        engine = self._request.engine
        return {
            "has_default": bool(engine),
            "engines": [*(names_of(engine) if engine else ()), *self._request.others],
            "full_owners": self._shares.full_owners(),
        }


class _Shares:
    """What each owner has running."""

    def __init__(self, connection: Connection, request: ClaimRequest) -> None:
        self._request = request
        self.running: Counter[str] = Counter()
        self._here: Counter[str] = Counter()
        """Jobs on this worker."""
        self._pages_left: Counter[str] = Counter()
        """Unread pages of these."""
        self.any_left = False
        """Whether a job that had started has no holder."""
        for row in connection.execute(_RUNNING, {"worker": request.worker}):
            owner, num, here, pages_left, num_left = row
            self.running[owner], self._here[owner], self._pages_left[owner] = num, here, pages_left
            self.any_left |= num_left > 0

    def has_room(self, owner: str) -> bool:
        """Whether this worker may get another job of the owner."""
        request, num = self._request, self._here[owner]
        enough = math.inf if request.enough_pages is None else request.enough_pages
        few = num < request.few_jobs or self._pages_left[owner] < enough
        return num < request.max_jobs_of_owner and few

    def full_owners(self) -> list[str]:
        return [owner for owner in self.running if not self.has_room(owner)]

    def add(self, job: Any) -> None:
        """Counts the job as one of this worker."""
        self.running[job.owner] += job.status == "queued"  # one that was left counts already
        self._here[job.owner] += 1
        self._pages_left[job.owner] += job.pages_left


def any_to_claim(connection: Connection, request: ClaimRequest) -> bool:
    """Whether there is a job for this worker; jobs of lost workers do not count."""
    if all(connection.scalar(query) is None for query in (_ANY_QUEUED, _ANY_LEFT)):
        return False
    return JobPicker(connection, request, 1).next() is not None
