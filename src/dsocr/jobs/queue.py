"""The interface of this package: everything that can be done with jobs. Imports no HTTP.

`owner` is the fingerprint of the caller's API key; None, where there are no keys, sees every job.
An `editor` is the same for a change: where there are no keys, the caller's browser, or "".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, get_args

from dsocr import tracing
from dsocr.exports import Need, format_of, write
from dsocr.exports.needs import missing
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.jobs.broadcast import Broadcast
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.document import PAGES_PER_LOAD, StoredDocument, document_of, pages_with
from dsocr.jobs.events import JobEvent, JobNotifier, follow
from dsocr.jobs.files import JobFiles
from dsocr.jobs.job import (
    BROWSER_OWNER,
    Correction,
    FoundText,
    Job,
    JobPage,
    JobReadOnly,
    NewJob,
    PageNotFound,
    PageVersion,
    StoredPage,
)
from dsocr.jobs.job_runner import EngineProvider
from dsocr.jobs.limits import JobLimits, job_limits
from dsocr.jobs.live import LiveEvents
from dsocr.jobs.maintenance import Maintenance
from dsocr.jobs.source import JobSource
from dsocr.jobs.store import commands, listing, queries, search, versions
from dsocr.jobs.store.database import Database, parse_url
from dsocr.jobs.store.gauges import JobGauges, job_gauges
from dsocr.jobs.store.listing import JobFilter
from dsocr.jobs.store.search import TextQuery
from dsocr.jobs.submission import Submission, new_job
from dsocr.jobs.webhooks import Callbacks
from dsocr.jobs.worker import JobWorker
from dsocr.jobs.worker_registry import WorkerRegistry
from dsocr.metrics import Metrics, NoMetrics
from dsocr.pages.page_images import ExportImages, PageImages
from dsocr.pipeline.events import OnEvent
from dsocr.process.machine import this_machine
from dsocr.types import OcrOptions

NEEDS_PAGES = 64
"""Pages of a job that are looked at for what formats need."""
ACCEPTING = "accept"
"""Key of the writes that accept jobs: all of them wait for one lock."""


class JobQueue:
    """The jobs of one store, and this process's worker on them."""

    def __init__(
        self,
        folder: Path,
        engines: EngineProvider,
        config: JobsConfig,
        metrics: Metrics | None = None,
    ) -> None:
        metrics = metrics or NoMetrics()
        url = config.database_url
        self._config = config
        self._engines = engines
        self._registry = registry = WorkerRegistry(folder / "processes")
        self.files = JobFiles(
            folder,
            registry.id,
            quota_mb=config.quota_mb,
            min_free_mb=config.min_free_mb,
            url=config.storage_url,
        )
        place = parse_url(url) if url else folder / "jobs.sqlite3"
        self._database = database = Database(place, metrics.observe_commit)
        self._notifier = JobNotifier()
        self._live = LiveEvents()
        self._images = PageImages(store=self.files if config.storage_url else None)
        self._callbacks = Callbacks(database, config)
        self._machine = this_machine()
        self._worker = JobWorker(
            database,
            self.files,
            registry,
            self._notifier,
            self._live,
            engines,
            config,
            self._limits,
        )
        self._broadcast = Broadcast(database, self._notifier, self._worker.wake)
        self._maintenance = Maintenance(
            database, self.files, registry, self._callbacks, config, self._remove
        )

    async def start(self) -> None:
        self._registry.register()
        self.files.open()
        await self._database.open()
        self._broadcast.start()
        self._worker.start()
        self._maintenance.start()

    async def close(self) -> None:
        """Stops reading at once; unfinished jobs stay in the store for the next worker."""
        self.close_event_streams()
        await self._maintenance.close()
        await self._worker.close()
        self._broadcast.announce()  # for the jobs that the worker has released
        await self._broadcast.close()
        await self._database.close()
        self.files.close()
        self._registry.unregister()

    def close_event_streams(self) -> None:
        """Ends all calls of `follow`: the service is about to stop."""
        self._notifier.close()

    async def check_capacity(self, num_bytes: int) -> None:
        """Raises `DiskFull` when there is no space for a job of this many bytes."""
        used = await self._database.read(queries.num_bytes) if self._config.quota_mb else 0
        await asyncio.to_thread(self.files.check_capacity, num_bytes, used)

    async def submit(self, submission: Submission) -> Job:
        """The accepted job, which is durable from now on; an earlier one if that came with the
        same Idempotency-Key. Raises `DiskFull`, `QueueFull`, `IdempotencyConflict`, and what
        `submission.new_job` raises.
        """
        max_pages = self._config.max_pages
        new = await new_job(submission, self._engines, self._callbacks, max_pages=max_pages)
        if submission.followed:
            self._live.expect_follower(new.id)
        job_id = await self._accept(new)
        tracing.annotate(dsocr__job=job_id)
        self._wake_workers()
        return await self.get(job_id)

    async def list(self, wanted: JobFilter) -> tuple[list[Job], int]:
        """The jobs, newest first, and the total number that the filter matches."""
        return await self._database.read(listing.list_jobs, wanted, time.time())

    async def count_by_status(self) -> dict[str, int]:
        """Jobs in the store, by status; every status is there."""
        return await self._database.read(queries.count_by_status)

    @property
    def num_recovered(self) -> int:
        """Jobs that this process went on with after their worker had ended or was lost."""
        return self._worker.num_recovered

    async def gauges(self) -> JobGauges:
        """Numbers of the jobs that are not finished."""
        return await self._database.read(job_gauges, time.time())

    async def get(self, job_id: str, owner: str | None = None) -> Job:
        """Raises `JobNotFound`, as all methods below."""
        return await self._database.read(queries.job, job_id, time.time(), owner)

    async def editable(self, job_id: str, editor: str | None) -> Job:
        """The job, if the caller may change it. Raises `JobReadOnly`."""
        is_key = editor is not None and _is_key(editor)
        job = await self.get(job_id, editor if is_key else None)
        if not job.is_editable(editor):
            raise JobReadOnly()
        return job

    async def page(self, job_id: str, index: int, owner: str | None = None) -> StoredPage:
        """Raises `PageNotFound` and `PageNotRead`."""
        await self.get(job_id, owner)
        return await self._database.read(queries.page, job_id, index)

    async def image(
        self,
        job_id: str,
        index: int,
        owner: str | None = None,
        *,
        width: int | None = None,
        rotation: int | None = None,
    ) -> bytes:
        """The page as JPEG, also before it was read, at most `width` pixels wide, turned by
        `rotation` degrees; None: as it was read. Raises `PageNotFound`."""
        job = await self.get(job_id, owner)
        pages = await self._database.read(queries.job_pages, job_id)
        if not 0 <= index < len(pages):
            raise PageNotFound()
        source = self._source(job, pages)
        return await self._images.jpeg(
            job_id, source, index, dpi=job.dpi, width=width, rotation=rotation
        )

    async def export(
        self,
        job_id: str,
        format: str,
        out: BinaryIO,
        owner: str | None = None,
        *,
        options: ExportOptions = DEFAULTS,
    ) -> None:
        """Writes the job as a file into `out`; pages that were not read yet have an error. Pages
        are loaded some at a time, so memory does not grow with the job. Raises what `out` raises.
        """
        stored = await self.stored_document(job_id, owner)
        await asyncio.to_thread(write, stored.document, format, out, stored.assets, options)

    async def export_link(
        self,
        job_id: str,
        format: str,
        name: str,
        owner: str | None = None,
        *,
        options: ExportOptions = DEFAULTS,
        seconds: int,
    ) -> str:
        """A URL into the object storage to the job as a file of that name, which expires. Raises
        `NoObjectStorage`, and what `export` raises."""
        stored = await self.stored_document(job_id, owner)

        def write_export(out: BinaryIO) -> None:
            write(stored.document, format, out, stored.assets, options)

        media_type = format_of(format).media_type
        return await asyncio.to_thread(
            self.files.link, job_id, write_export, name, media_type, seconds
        )

    async def missing_needs(self, job_id: str, owner: str | None = None) -> set[Need]:
        """What formats need and the job lacks; looks at its first pages alone. What a later page
        may have does not count as missing."""
        document = (await self.stored_document(job_id, owner)).document
        needs = set(get_args(Need))
        first = islice(document.pages, NEEDS_PAGES)
        lacking = await asyncio.to_thread(missing, first, needs)
        return lacking if len(document.pages) <= NEEDS_PAGES else lacking & {"images"}

    async def stored_document(self, job_id: str, owner: str | None = None) -> StoredDocument:
        """The job's pages, loaded some at a time where they are asked for: in a thread alone, as
        its images. Pages that were not read yet have an error."""
        job = await self.get(job_id, owner)
        pages = await self._database.read(queries.job_pages, job_id)
        names = [job.files[page.file].name for page in pages]
        loop = asyncio.get_running_loop()

        def load(first: int, end: int) -> list[StoredPage | None]:
            some = self._database.read(queries.stored_pages, job_id, first, end)
            return asyncio.run_coroutine_threadsafe(some, loop).result()

        assets = ExportImages(
            self._source(job, pages),
            job.dpi,
            loop,
            images=self._images,
            document_id=job_id,
        )
        document = document_of(job, load, names)
        return StoredDocument(document, tuple(page.file_page for page in pages), assets)

    def follow(self, job_id: str, after: int) -> AsyncIterator[JobEvent]:
        """The events of the job after number `after` (0: all), until it is finished."""
        return follow(
            self._database,
            self._notifier,
            job_id,
            after=after,
            poll_seconds=self._config.poll_seconds,
        )

    def follow_live(self, job_id: str, on_event: OnEvent) -> AbstractContextManager[None]:
        """Calls `on_event` with the events of pages while this process reads them."""
        return self._live.follow(job_id, on_event)

    async def cancel(self, job_id: str, editor: str | None = None) -> Job:
        """Keeps what was read. Raises `JobConflict` for a finished job."""
        await self.editable(job_id, editor)
        await self._database.write(commands.cancel, job_id, time.time())
        self._on_ended(job_id)
        return await self.get(job_id)

    async def delete(self, job_id: str, editor: str | None = None) -> None:
        await self.editable(job_id, editor)
        await self._remove(job_id)

    async def retry(
        self,
        job_id: str,
        index: int,
        options: OcrOptions,
        dpi: float | None,
        editor: str | None = None,
        *,
        rotation: int | None = None,
        discard_corrections: bool = False,
        followed: bool = False,
    ) -> Job:
        """Reads a page again, turned by `rotation` degrees from how its file has it; None: as it
        is turned now. `followed` as of a submission. Raises `PageNotFound`, and
        `JobConflict` for a page that is pending already, or has corrections without
        `discard_corrections`."""
        await self.editable(job_id, editor)
        await self._database.write(
            commands.requeue_page,
            job_id,
            index,
            options,
            dpi,
            rotation=rotation,
            discard_corrections=discard_corrections,
        )
        if followed:
            self._live.expect_follower(job_id)
        self._notifier.notify(job_id)
        self._wake_workers()
        return await self.get(job_id)

    async def correct(
        self,
        job_id: str,
        index: int,
        changes: Mapping[int, Correction | None],
        editor: str | None = None,
    ) -> StoredPage:
        """Raises `PageNotFound`, `PageNotRead`, and `JobConflict` while the page is pending."""
        await self.editable(job_id, editor)
        await self._database.write(commands.correct, job_id, index, changes, time.time())
        self._notifier.notify(job_id)
        return await self._database.read(queries.page, job_id, index)

    async def rename(self, job_id: str, name: str, editor: str | None = None) -> Job:
        """The name is that of the first file."""
        await self.editable(job_id, editor)
        await self._database.write(commands.rename, job_id, name)
        self._notifier.notify(job_id)
        return await self.get(job_id)

    async def resume(
        self, job_id: str, editor: str | None = None, *, followed: bool = False
    ) -> Job:
        """Reads the unread pages of a job that has ended. Raises `JobConflict` without any."""
        await self.editable(job_id, editor)
        await self._database.write(commands.resume, job_id)
        if followed:
            self._live.expect_follower(job_id)
        self._notifier.notify(job_id)
        self._wake_workers()
        return await self.get(job_id)

    async def versions(
        self, job_id: str, index: int, owner: str | None = None
    ) -> Sequence[PageVersion]:
        """Former states of a page, newest first. Raises `PageNotFound` and `PageNotRead`."""
        await self.get(job_id, owner)
        return await self._database.read(versions.of_page, job_id, index)

    async def take_version(
        self, job_id: str, index: int, number: int, editor: str | None = None
    ) -> StoredPage:
        """Makes a version the page. Raises what `versions.take` raises."""
        await self.editable(job_id, editor)
        await self._database.write(versions.take, job_id, index, number, time.time())
        self._notifier.notify(job_id)
        return await self._database.read(queries.page, job_id, index)

    async def search(
        self, job_id: str, text: str, owner: str | None = None
    ) -> Sequence[tuple[int, int]]:
        """The pages with this text, and in how many of its blocks each has it."""
        job = await self.get(job_id, owner)
        found: list[tuple[int, int]] = []
        for first in range(0, job.pages_total, PAGES_PER_LOAD):
            read = queries.stored_pages
            some = await self._database.read(read, job_id, first, first + PAGES_PER_LOAD)
            found += await asyncio.to_thread(pages_with, text, some)
        return found

    async def find(self, query: TextQuery) -> tuple[Sequence[FoundText], bool]:
        """The pages of all jobs that have the words, and whether there are more."""
        return await self._database.read(search.find, query)

    async def _accept(self, new: NewJob) -> str:
        limits = self._limits()
        try:
            await asyncio.to_thread(self.files.store, new.id, new.paths)
            accepted = await self._database.write_in_turn(
                ACCEPTING,
                commands.accept,
                new,
                time.time(),
                max_unfinished=limits.unfinished.value,
                max_of_owner=limits.per_key.value if _is_key(new.owner) else None,
            )
        except Exception:  # a cancellation keeps the files: the job may have been accepted
            self._live.end(new.id)
            await asyncio.to_thread(self.files.delete, new.id)
            raise
        if accepted != new.id:
            self._live.end(new.id)
            await asyncio.to_thread(self.files.delete, new.id)
        return accepted

    def _limits(self) -> JobLimits:
        info = self._engines.info_of()
        return job_limits(self._config, info.max_concurrency if info else None, self._machine)

    def _source(self, job: Job, pages: Sequence[JobPage]) -> JobSource:
        return JobSource(job, pages, files=self.files, sandbox=self._engines.sandbox)

    async def _remove(self, job_id: str) -> None:
        await self._database.write(commands.remove, job_id)
        self._on_ended(job_id)
        self._images.forget(job_id)
        await asyncio.to_thread(self.files.delete, job_id)

    def _wake_workers(self) -> None:
        self._worker.wake()
        self._broadcast.announce()

    def _on_ended(self, job_id: str) -> None:
        self._worker.stop(job_id)
        self._notifier.notify(job_id)
        self._wake_workers()


def _is_key(owner: str) -> bool:
    return bool(owner) and not owner.startswith(BROWSER_OWNER)
