"""Reads the jobs of a store: takes one, reads what is missing, stores each page when it is done.

Any number of processes do so on one store. Each says that it is well by a heartbeat; the jobs of
one that died or fell silent go to the others. Knows no SQL and no HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from dsocr.engines.base import EngineInfo
from dsocr.errors import DiskFull, DsocrError, EngineUnavailable
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.deadline import Deadline
from dsocr.jobs.events import JobNotifier
from dsocr.jobs.files import JobFiles
from dsocr.jobs.job import ClaimRequest, Lease, Todo
from dsocr.jobs.source import JobSource
from dsocr.jobs.store import commands, queries
from dsocr.jobs.store.commands import LeaseLost
from dsocr.jobs.store.database import Database
from dsocr.jobs.worker_registry import HeartbeatMonitor, WorkerRegistry
from dsocr.pages.sandbox import Sandbox
from dsocr.pipeline.pipeline import Pipeline
from dsocr.types import PageFailure, PageResult

log = logging.getLogger(__name__)
T = TypeVar("T")

FULL_DISK_PAUSE_SECONDS = 1.0
ENGINE_PAUSE_SECONDS = 1.0
ENGINE_WAIT_SECONDS = 30.0
CANCEL_SECONDS = 1.0


class EngineProvider(Protocol):
    """What a worker reads with."""

    @property
    def sandbox(self) -> Sandbox: ...

    @property
    def info(self) -> EngineInfo | None:
        """None while no engine reads."""

    async def pipeline(self, wait_seconds: float) -> tuple[Pipeline, EngineInfo]:
        """Raises `EngineUnavailable`."""


class _EngineAway(Exception):
    """The engine is restarting: the page is read when it is back."""


class JobWorker:
    """One a process."""

    def __init__(
        self,
        database: Database,
        files: JobFiles,
        presence: WorkerRegistry,
        bell: JobNotifier,
        reads: EngineProvider,
        config: JobsConfig,
    ) -> None:
        self._database = database
        self._files = files
        self._presence = presence
        self._bell = bell
        self._reads = reads
        self._config = config
        self._silence = HeartbeatMonitor(config.lease_seconds)
        self._running: dict[str, tuple[Lease, asyncio.Task[None]]] = {}
        self._leases = asyncio.Lock()
        """Held while what we run and what the store says we hold are made one: a look at the store
        from before a claim, judged after it, would take the new job for one that was lost."""
        self._wake = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._loops = [
            asyncio.create_task(self._for_ever(self._beat, self._config.heartbeat_seconds)),
            asyncio.create_task(self._for_ever(self._check, self._config.poll_seconds)),
            asyncio.create_task(
                self._for_ever(self._take_jobs, self._config.poll_seconds, self._wake)
            ),
        ]

    async def close(self) -> None:
        """Stops reading; what was read is stored, and the rest left to whoever comes next."""
        await _end([*self._loops, *(task for _, task in self._running.values())])
        try:
            await self._database.write(commands.leave, self._presence.id)
        except DiskFull:
            log.warning("the disk is full: jobs are given back when we are gone")

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def stop(self, job_id: str) -> None:
        """The job is cancelled or gone: its pages need not be read to their end."""
        held = self._running.get(job_id)
        if held is not None:
            held[1].cancel()

    async def _for_ever(
        self, step: Callable[[], Awaitable[None]], seconds: float, wake: asyncio.Event | None = None
    ) -> None:
        """A step that fails is tried again: nothing else would get the jobs going."""
        wake = wake or asyncio.Event()
        while True:
            wake.clear()
            try:
                await step()
            except DiskFull:
                log.warning("the disk is full: jobs wait")
            except Exception:
                log.exception("a bug in the care for jobs")
            timer = asyncio.get_running_loop().call_later(seconds, wake.set)
            try:
                await wake.wait()
            finally:
                timer.cancel()

    async def _beat(self) -> None:
        await self._database.write(commands.beat, self._presence.id)

    async def _check(self) -> None:
        """Lets go of jobs that another process has cancelled, deleted or taken over, and gives back
        those that we hold and do not read: a bug ended their reading."""
        async with self._leases:
            held = await self._database.read(queries.held, self._presence.id)
            for job_id, (lease, task) in list(self._running.items()):
                if held.pop(job_id, None) != lease.epoch:
                    task.cancel()
            for job_id, epoch in held.items():
                await self._database.write(commands.give_back, Lease(job_id, epoch))

    async def _take_jobs(self) -> None:
        while await self._take_one():
            pass

    async def _take_one(self) -> bool:
        try:
            _, info = await self._reads.pipeline(ENGINE_WAIT_SECONDS)
        except EngineUnavailable:
            return False
        lost = await self._lost()
        taker = ClaimRequest(self._presence.id, info.name, lost, self._config.max_running)
        if not lost and await self._database.read(queries.next_job, taker) is None:
            return False
        async with self._leases:
            lease = await self._database.write(commands.claim, taker, time.time())
            if lease is not None:
                self._begin(lease)
                return True
        for process in lost:  # they have nothing left
            await self._database.write(commands.leave, process)
            self._presence.forget(process)
        return False

    def _begin(self, lease: Lease) -> None:
        self._bell.ring(lease.job_id)
        log.info("job %s: reading, for the %d. time", lease.job_id, lease.epoch)
        previous = self._running.get(lease.job_id)
        if previous is not None:
            previous[1].cancel()
        task = asyncio.create_task(self._read(lease))
        self._running[lease.job_id] = (lease, task)
        task.add_done_callback(lambda _: self._let_go(lease))

    async def _lost(self) -> list[str]:
        """Processes whose jobs are free: they died, or were silent for too long."""
        beats = await self._database.read(queries.beats)
        silent = self._silence.silent(beats) - {self._presence.id}
        return sorted(silent | self._presence.dead())

    def _let_go(self, lease: Lease) -> None:
        held = self._running.get(lease.job_id)
        if held is not None and held[0] is lease:
            del self._running[lease.job_id]
        self._bell.ring(lease.job_id)
        self.wake()

    async def _read(self, lease: Lease) -> None:
        try:
            await self._read_all(lease)
        except LeaseLost:
            log.info("job %s: cancelled, deleted, or read by somebody else", lease.job_id)
        except DsocrError as error:
            await self._fail(lease, PageFailure(error.code, error.message, error.retryable))
        except Exception:
            log.exception("job %s failed by a bug", lease.job_id)
            await self._fail(lease, PageFailure(DsocrError.code, "Something went wrong inside."))

    async def _fail(self, lease: Lease, failure: PageFailure) -> None:
        with contextlib.suppress(LeaseLost):
            await self._retry_while_disk_full(
                lambda: self._database.write(commands.fail, lease, failure, time.time())
            )

    async def _read_all(self, lease: Lease) -> None:
        job = await self._database.read(queries.job, lease.job_id, time.time())
        pages = await self._database.read(queries.job_pages, lease.job_id)
        source = JobSource(job, pages, files=self._files, sandbox=self._reads.sandbox)
        todos = await self._database.read(queries.todo, lease.job_id)
        budget = Deadline(sum(len(todo.pages) for todo in todos), self._config)
        pause = ENGINE_PAUSE_SECONDS
        try:
            while not await self._retry_while_disk_full(
                lambda: self._database.write(commands.finish, lease, time.time())
            ):
                try:
                    for todo in await self._database.read(queries.todo, lease.job_id):
                        await self._read_alike(lease, todo, source, job.owner, budget)
                        pause = ENGINE_PAUSE_SECONDS
                except (_EngineAway, EngineUnavailable):
                    log.info("job %s waits for the engine", lease.job_id)
                    with budget.paused():
                        await asyncio.sleep(pause)
                    pause = min(2 * pause, ENGINE_WAIT_SECONDS)
        finally:
            await source.close()

    async def _read_alike(
        self, lease: Lease, todo: Todo, source: JobSource, owner: str, budget: Deadline
    ) -> None:
        async def keep(result: PageResult) -> None:
            if result.error is not None and result.error.code == EngineUnavailable.code:
                raise _EngineAway()
            await self._retry_while_disk_full(
                lambda: self._database.write(commands.store_page, lease, result), budget
            )
            self._bell.ring(lease.job_id)
            budget.page_done()

        with budget.paused():
            pipeline, info = await self._reads.pipeline(ENGINE_WAIT_SECONDS)
        await self._retry_while_disk_full(
            lambda: self._database.write(commands.name_engine, lease, info.name, info.model)
        )
        await pipeline.run_in_background(
            source, todo.options, keep, pages=todo.pages, owner=owner, dpi=todo.dpi
        )

    async def _retry_while_disk_full(
        self, write: Callable[[], Awaitable[T]], budget: Deadline | None = None
    ) -> T:
        """A full disk makes a job wait, not fail: its pages stay in hand until there is room."""
        while True:
            try:
                return await write()
            except DiskFull:
                log.warning("the disk is full: a job waits for room")
                with budget.paused() if budget else contextlib.nullcontext():
                    await asyncio.sleep(FULL_DISK_PAUSE_SECONDS)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels them until they have ended: `asyncio.wait_for` may swallow a cancellation that comes
    when what it waits for is just done (Python 3.10 and 3.11)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_SECONDS)
