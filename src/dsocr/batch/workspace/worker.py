"""One worker of a batch: claims groups, reads their documents, seals them, until all are sealed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from dsocr.batch.names import printable
from dsocr.batch.workspace.budget import ErrorBudget
from dsocr.batch.workspace.claims import Claims, Heartbeat
from dsocr.batch.workspace.feed import GroupFeed, Scan
from dsocr.batch.workspace.group import remove_records
from dsocr.batch.workspace.layout import PlannedDocument, read_options
from dsocr.batch.workspace.reading import DocumentReader
from dsocr.batch.workspace.shards import check_format, sealed_groups
from dsocr.batch.workspace.shared_gate import SharedGate
from dsocr.batch.workspace.stores.store import Store
from dsocr.engines.base import EngineInfo
from dsocr.engines.selection import EngineSelection
from dsocr.errors import DsocrError
from dsocr.host import EngineHost
from dsocr.pipeline.pipeline import check_options
from dsocr.pipeline.workers import run_workers
from dsocr.types import PageFailure, PageResult

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
BEATS_PER_LEASE = 4


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How one worker runs; the options of the documents are the workspace's."""

    password: str | None = None
    lease_seconds: float = LEASE_SECONDS
    """After so long without a heartbeat the worker's groups are read by others."""
    budget: ErrorBudget = ErrorBudget()
    scan: Scan | None = None
    """Looks for new files; the worker then runs until it is interrupted."""


@dataclass(slots=True)
class Counts:
    """What this worker has done."""

    documents: int = 0
    pages: int = 0
    """Pages that were read, without those that failed."""
    flagged: int = 0
    failed: int = 0
    """Pages that failed, and documents that could not be opened."""
    drafted: int = 0
    accepted: int = 0
    """Drafted tokens of the pages, and those of them that became output. No record has them."""


class RunObserver(Protocol):
    """Is called on the event loop while a worker runs."""

    def engine_ready(self, info: EngineInfo, selection: EngineSelection) -> None: ...

    def page_done(self, counts: Counts) -> None: ...

    def document_done(self, counts: Counts) -> None: ...

    def failed(self, message: str) -> None:
        """A page or a document failed; the others are read on."""


async def run_worker(
    store: Store, host: EngineHost, config: RunConfig, observer: RunObserver
) -> Counts:
    """Reads until every group is sealed, also those that other workers lost.

    Raises `TooManyErrors`, `EngineUnavailable`, and what the store raises; records stay.
    """
    batch = await asyncio.to_thread(read_options, store)
    check_format(batch.shards)
    pipeline, info = await host.pipeline(0)
    check_options(batch.options, info)
    observer.engine_ready(info, host.selection)
    tracker = _Tracker(Counts(), config.budget, observer)
    reader = DocumentReader(
        *(host, pipeline, batch, config.password),
        *(tracker.page_done, tracker.document_failed, SharedGate()),
    )
    async with _heartbeat(store, config.lease_seconds) as heartbeat:
        feed = GroupFeed(store, Claims(store, heartbeat), batch.shards, config.scan)

        async def read_next() -> bool:
            upcoming = await feed.next()
            if upcoming is None:
                return False
            group, entry = upcoming
            await reader.read(group, entry)
            await feed.document_done(group)
            tracker.document_done()
            return True

        try:
            await run_workers(read_next, lambda: host.engine.info.max_concurrency + 1)
        finally:
            feed.release()
        await asyncio.to_thread(_remove_leftovers, store)
    return tracker.counts


@contextlib.asynccontextmanager
async def _heartbeat(store: Store, lease_seconds: float) -> AsyncIterator[Heartbeat]:
    heartbeat = Heartbeat(store, lease_seconds)
    await asyncio.to_thread(heartbeat.beat)
    task = asyncio.create_task(_keep_beating(heartbeat))
    try:
        yield heartbeat
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        heartbeat.end()


async def _keep_beating(heartbeat: Heartbeat) -> None:
    while True:
        await asyncio.sleep(heartbeat.lease_seconds / BEATS_PER_LEASE)
        try:
            await asyncio.to_thread(heartbeat.beat)
        except DsocrError as error:
            logger.warning("no heartbeat was written: %s", error.message)


def _remove_leftovers(store: Store) -> None:
    """Records of sealed groups whose worker was lost before it removed them."""
    sealed = sealed_groups(store)
    groups = {key.split("/")[1] for prefix in ("pages/", "tries/") for key in store.keys(prefix)}
    for group in groups & sealed.keys():
        remove_records(store, group)


@dataclass(slots=True)
class _Tracker:
    counts: Counts
    budget: ErrorBudget
    observer: RunObserver

    def page_done(self, entry: PlannedDocument, result: PageResult) -> None:
        if result.error is None:
            self.counts.pages += 1
            self.counts.flagged += bool(result.flags)
        self.counts.drafted += result.usage.drafted_tokens
        self.counts.accepted += result.usage.accepted_tokens
        self.observer.page_done(self.counts)
        if result.error is not None:
            self._failed(f"{printable(entry.uri)}: page {result.index + 1}: {result.error.message}")

    def document_failed(self, entry: PlannedDocument, failure: PageFailure) -> None:
        self._failed(f"{printable(entry.uri)}: {failure.message}")

    def document_done(self) -> None:
        self.counts.documents += 1
        self.observer.document_done(self.counts)

    def _failed(self, message: str) -> None:
        self.counts.failed += 1
        self.observer.failed(message)
        self.budget.check(self.counts.failed, self.counts.pages + self.counts.failed)
