"""Runs one claimed job: reads its pending pages and stores each when it is done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from dsocr import tracing
from dsocr.engines.base import EngineInfo
from dsocr.errors import DiskFull, DsocrError, EngineUnavailable, StoreUnavailable
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.deadline import Deadline
from dsocr.jobs.events import JobNotifier
from dsocr.jobs.files import JobFiles
from dsocr.jobs.job import Lease, PageBatch
from dsocr.jobs.live import LiveEvents
from dsocr.jobs.source import JobSource
from dsocr.jobs.store import leases, queries
from dsocr.jobs.store.database import Database
from dsocr.jobs.store.leases import LeaseLost
from dsocr.pages.sandbox import Sandbox
from dsocr.pipeline.pipeline import Pipeline
from dsocr.types import PageFailure, PageResult

log = logging.getLogger(__name__)
T = TypeVar("T")

STORE_PAUSE_SECONDS = 1.0
ENGINE_PAUSE_SECONDS = 1.0
ENGINE_WAIT_SECONDS = 30.0


class EngineProvider(Protocol):
    """The engines, by name, and the page decoder that jobs use."""

    @property
    def sandbox(self) -> Sandbox: ...

    @property
    def names(self) -> Collection[str]:
        """All that a job may want: engines, their aliases, models."""

    @property
    def other_names(self) -> Collection[str]:
        """Those that are not the default engine's."""

    def info_of(self, name: str | None = None) -> EngineInfo | None:
        """None while that engine is not ready. Without a name: the default engine."""

    async def pipeline(
        self, wait_seconds: float, name: str | None = None
    ) -> tuple[Pipeline, EngineInfo]:
        """Waits that long for the engine to be ready. Raises `EngineUnavailable`, the error of its
        start, and `InvalidField` for a name that is not in `names`."""


class _PageStaysPending(Exception):
    """The page was not read: the engine restarts, or its file cannot be fetched now."""


WAITING_CODES = (EngineUnavailable.code, StoreUnavailable.code)
"""Errors of pages that are no fault of the page."""


@dataclass(slots=True)
class _Run:
    """One lease on a job, and what reads its pages."""

    lease: Lease
    owner: str
    source: JobSource
    deadline: Deadline
    engine: tuple[str, str]
    """Name and model, as the store has them."""
    wanted: str | None
    """Name of the engine or model that the job asks for; None: the default one."""
    pending: list[PageBatch]
    """To read next; empty: the store has to be asked."""
    pages_left: int = 0
    """Of the batches that are read now."""
    ended: bool = False


class JobRunner:
    """Runs jobs, each until it is finished, failed, or its lease is lost."""

    def __init__(
        self,
        database: Database,
        files: JobFiles,
        notifier: JobNotifier,
        live: LiveEvents,
        engines: EngineProvider,
        config: JobsConfig,
    ) -> None:
        self._database = database
        self._files = files
        self._notifier = notifier
        self._live = live
        self._engines = engines
        self._config = config

    async def run(self, lease: Lease) -> None:
        """Stores an error of the job itself with it; raises nothing but a cancellation."""
        with tracing.span("ocr.job", dsocr__job=lease.job_id):
            await self._run(lease)

    async def _run(self, lease: Lease) -> None:
        try:
            run = await self._open(lease)
            try:
                await self._read_until_finished(run)
            finally:
                await run.source.close()
        except LeaseLost:
            log.info("job %s: cancelled, deleted, or claimed by another worker", lease.job_id)
        except StoreUnavailable:
            log.warning("job %s: the store cannot be reached; the job waits", lease.job_id)
        except DsocrError as error:
            await self._fail(lease, PageFailure(error.code, error.message, error.retryable))
        except Exception:
            log.exception("job %s failed with an unexpected error", lease.job_id)
            failure = PageFailure(DsocrError.code, "An internal error; see the log of the service.")
            await self._fail(lease, failure)
        finally:
            self._live.end(lease.job_id)

    async def _open(self, lease: Lease) -> _Run:
        read = queries.job_to_read
        job, pages, pending = await self._database.read(read, lease.job_id, time.time())
        source = JobSource(job, pages, files=self._files, sandbox=self._engines.sandbox)
        deadline = Deadline(sum(len(batch.pages) for batch in pending), self._config)
        engine = job.engine, job.model
        return _Run(lease, job.owner, source, deadline, engine, job.wanted_engine, pending)

    async def _fail(self, lease: Lease, failure: PageFailure) -> None:
        with contextlib.suppress(LeaseLost):
            await self._write(leases.fail, lease, failure, time.time())

    async def _read_until_finished(self, run: _Run) -> None:
        pause = ENGINE_PAUSE_SECONDS
        while True:
            try:
                batches = await self._take_pending(run)
                run.pages_left = sum(len(batch.pages) for batch in batches)
                for batch in batches:
                    await self._read_batch(run, batch)
                    pause = ENGINE_PAUSE_SECONDS
            except (_PageStaysPending, EngineUnavailable):
                log.info("job %s waits for the engine or its files", run.lease.job_id)
                with run.deadline.paused():
                    await asyncio.sleep(pause)
                pause = min(2 * pause, ENGINE_WAIT_SECONDS)
            if run.ended or await self._write(leases.finish, run.lease, time.time()):
                return

    async def _take_pending(self, run: _Run) -> list[PageBatch]:
        pending, run.pending = run.pending, []
        return pending or await self._database.read(queries.pending_pages, run.lease.job_id)

    async def _read_batch(self, run: _Run, batch: PageBatch) -> None:
        async def store(result: PageResult) -> None:
            if result.error is not None and result.error.code in WAITING_CODES:
                raise _PageStaysPending()
            await self._store_page(run, result)
            self._notifier.notify(run.lease.job_id)
            run.deadline.page_done()

        with run.deadline.paused():
            pipeline, info = await self._engines.pipeline(ENGINE_WAIT_SECONDS, run.wanted)
        if run.engine != (info.name, info.model):
            await self._write(leases.set_engine, run.lease, info.name, info.model)
            run.engine = (info.name, info.model)
        await pipeline.run_in_background(
            run.source,
            batch.options,
            store,
            pages=batch.pages,
            owner=run.owner,
            dpi=batch.dpi,
            on_event=self._live.observer(run.lease.job_id),
        )

    async def _store_page(self, run: _Run, result: PageResult) -> None:
        """The last page ends the job in the same transaction."""
        lease, deadline, now = run.lease, run.deadline, time.time()
        run.pages_left -= 1
        if run.pages_left:
            await self._write(leases.store_page, lease, result, now, deadline=deadline)
        else:
            last = leases.store_last_page
            run.ended = await self._write(last, lease, result, now, deadline=deadline)

    async def _write(
        self, work: Callable[..., T], lease: Lease, *args: Any, deadline: Deadline | None = None
    ) -> T:
        write = partial(self._database.write_in_turn, lease.job_id, work, lease, *args)
        return await _retry_while_store_waits(write, deadline)


async def _retry_while_store_waits(
    write: Callable[[], Awaitable[T]], deadline: Deadline | None = None
) -> T:
    """While the store cannot take its results, a job waits and does not fail."""
    while True:
        try:
            return await write()
        except (DiskFull, StoreUnavailable) as error:
            log.warning("a job waits: %s", error.message)
            with deadline.paused() if deadline else contextlib.nullcontext():
                await asyncio.sleep(STORE_PAUSE_SECONDS)
