"""The face of this room: what one can do with jobs. Knows no HTTP.

`owner` says who asks: None is whoever runs the service without keys and sees every job.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import BinaryIO

from dsocr.errors import DsocrError
from dsocr.exports import write
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.document import document_of
from dsocr.jobs.events import JobNotifier, Told, follow
from dsocr.jobs.files import JobFiles
from dsocr.jobs.images import PageImages
from dsocr.jobs.job import Correction, Job, JobPage, NewJob, PageNotFound, StoredPage
from dsocr.jobs.store import commands, queries
from dsocr.jobs.store.database import Database, path_of
from dsocr.jobs.store.queries import Wanted
from dsocr.jobs.webhooks import Callbacks
from dsocr.jobs.worker import EngineProvider, JobWorker
from dsocr.jobs.worker_registry import WorkerRegistry
from dsocr.types import OcrOptions

log = logging.getLogger(__name__)

DAY = 86400.0


class JobQueue:
    """Jobs of one store, seen and changed from this process."""

    def __init__(self, folder: Path, reads: EngineProvider, config: JobsConfig) -> None:
        url = config.database_url
        self._config = config
        self._reads = reads
        self._presence = WorkerRegistry(folder / "processes")
        self.files = JobFiles(
            folder, self._presence.id, quota_mb=config.quota_mb, min_free_mb=config.min_free_mb
        )
        self._database = Database(path_of(url) if url else folder / "jobs.sqlite3")
        self._bell = JobNotifier()
        self._images = PageImages(self.files, reads.sandbox)
        self.callbacks = Callbacks(self._database, config)
        self._worker = JobWorker(
            self._database, self.files, self._presence, self._bell, reads, config
        )
        self._care: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._presence.enter()
        self.files.open()
        await self._database.open()
        self._worker.start()
        self._care = asyncio.create_task(self._take_care())

    async def close(self) -> None:
        """Stops reading at once; jobs go on where they are with whoever comes next."""
        self.stop_telling()
        if self._care is not None:
            self._care.cancel()
            await asyncio.gather(self._care, return_exceptions=True)
        await self._worker.close()
        await self._database.close()
        self.files.close()
        self._presence.leave()

    def stop_telling(self) -> None:
        """Ends all streams of events: the service is about to stop."""
        self._bell.close()

    async def check_room(self, num_bytes: int) -> None:
        """Raises `DiskFull` when a job that large would not fit."""
        taken = await self._database.read(queries.num_bytes) if self._config.quota_mb else 0
        await asyncio.to_thread(self.files.check_room, num_bytes, taken)

    async def submit(self, new: NewJob) -> Job:
        """The accepted job, which will be read whatever happens now. It may be an earlier one that
        came with the same Idempotency-Key. Raises `DiskFull`, `QueueFull`, `IdempotencyConflict`.
        """
        config = self._config
        try:
            await asyncio.to_thread(self.files.keep, new.id, new.paths)
            accepted = await self._database.write(
                commands.accept,
                new,
                time.time(),
                most=config.max_unfinished,
                most_of_owner=config.max_jobs_per_key if new.owner else None,
            )
        except Exception:  # not if we are cancelled: then nobody knows yet whether it was accepted
            await asyncio.to_thread(self.files.drop, new.id)
            raise
        if accepted != new.id:
            await asyncio.to_thread(self.files.drop, new.id)
        self._worker.wake()
        return await self.get(accepted)

    async def list(self, wanted: Wanted) -> tuple[list[Job], int]:
        return await self._database.read(queries.listing, wanted, time.time())

    async def num_unfinished(self) -> int:
        return await self._database.read(queries.num_unfinished)

    async def count_by_status(self) -> dict[str, int]:
        """Jobs in the store, by status; every status is there."""
        return await self._database.read(queries.count_by_status)

    async def get(self, job_id: str, owner: str | None = None) -> Job:
        """Raises `JobNotFound`, as all below do."""
        return await self._database.read(queries.job, job_id, time.time(), owner)

    async def page(self, job_id: str, index: int, owner: str | None = None) -> StoredPage:
        """Raises `PageNotFound`, and `PageNotRead`."""
        await self.get(job_id, owner)
        return await self._database.read(queries.page, job_id, index)

    async def image(self, job_id: str, index: int, owner: str | None = None) -> bytes:
        """The page as JPEG, also before it was read. Raises `PageNotFound`."""
        job = await self.get(job_id, owner)
        pages = await self._database.read(queries.job_pages, job_id)
        if not 0 <= index < len(pages):
            raise PageNotFound()
        return await self._images.jpeg(job, pages[index], self._reads.info)

    async def export(
        self, job_id: str, format: str, out: BinaryIO, owner: str | None = None
    ) -> None:
        """The job as a file into `out`; pages that were not read yet say so in their places. A
        job of any length: its pages are loaded some at a time. Raises what `out` raises."""
        job = await self.get(job_id, owner)
        pages = await self._database.read(queries.job_pages, job_id)
        names = [job.files[page.file].name for page in pages]
        loop = asyncio.get_running_loop()

        def load(first: int, end: int) -> list[StoredPage | None]:
            some = self._database.read(queries.stored_pages, job_id, first, end)
            return asyncio.run_coroutine_threadsafe(some, loop).result()

        assets = _Assets(self._images, job, pages, self._reads, loop)
        document = document_of(job, load, names)
        await asyncio.to_thread(write, document, format, out, assets)

    def follow(self, job_id: str, after: int) -> AsyncIterator[Told]:
        """All that happened to the job after event `after` (0: from the beginning), and happens."""
        return follow(
            self._database, self._bell, job_id, after=after, poll_seconds=self._config.poll_seconds
        )

    async def cancel(self, job_id: str, owner: str | None = None) -> Job:
        """What was read stays. Raises `JobConflict` for a job that is over."""
        await self.get(job_id, owner)
        await self._database.write(commands.cancel, job_id, time.time())
        self._changed(job_id)
        return await self.get(job_id)

    async def delete(self, job_id: str, owner: str | None = None) -> None:
        await self.get(job_id, owner)
        await self._remove(job_id)

    async def retry(
        self,
        job_id: str,
        index: int,
        options: OcrOptions,
        dpi: float | None,
        owner: str | None = None,
        *,
        discard_corrections: bool = False,
    ) -> Job:
        """Raises `PageNotFound`, and `JobConflict` for a page that waits to be read anyway or has
        corrections that nobody said may go."""
        await self.get(job_id, owner)
        await self._database.write(
            commands.requeue_page,
            job_id,
            index,
            options,
            dpi,
            discard_corrections=discard_corrections,
        )
        self._bell.ring(job_id)
        self._worker.wake()
        return await self.get(job_id)

    async def correct(
        self,
        job_id: str,
        index: int,
        changes: Mapping[int, Correction | None],
        owner: str | None = None,
    ) -> StoredPage:
        """Raises `PageNotFound`, `PageNotRead`, and `JobConflict` while it is read again."""
        await self.get(job_id, owner)
        await self._database.write(commands.correct, job_id, index, changes)
        self._bell.ring(job_id)
        return await self._database.read(queries.page, job_id, index)

    async def sweep(self) -> None:
        """Removes jobs that are too old, and what dead processes left lying about."""
        moment = time.time() - self._config.retention_days * DAY
        while old := await self._database.read(queries.finished_before, moment):
            for job_id in old:
                with contextlib.suppress(DsocrError):
                    await self._remove(job_id)
        strays = await asyncio.to_thread(self.files.strays)
        known = await self._database.read(queries.known, strays)
        for job_id in set(strays) - known:
            await asyncio.to_thread(self.files.drop, job_id)
        await asyncio.to_thread(self.files.drop_abandoned, self._presence.alive)

    async def _remove(self, job_id: str) -> None:
        await self._database.write(commands.remove, job_id)
        self._changed(job_id)
        self._images.forget(job_id)
        await asyncio.to_thread(self.files.drop, job_id)

    def _changed(self, job_id: str) -> None:
        self._worker.stop(job_id)
        self._bell.ring(job_id)
        self._worker.wake()

    async def _take_care(self) -> None:
        swept = -self._config.sweep_seconds
        while True:
            try:
                await self.callbacks.deliver_due()
                if time.monotonic() - swept >= self._config.sweep_seconds:
                    swept = time.monotonic()
                    await self.sweep()
            except Exception:
                log.exception("the care for old jobs failed")
            await asyncio.sleep(self._config.poll_seconds)


class _Assets:
    """Page images for an export, which asks for them from a thread of its own."""

    def __init__(
        self,
        images: PageImages,
        job: Job,
        pages: list[JobPage],
        reads: EngineProvider,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._images = images
        self._job = job
        self._pages = pages
        self._reads = reads
        self._loop = loop

    def page_image(self, index: int) -> bytes:
        image = self._images.jpeg(self._job, self._pages[index], self._reads.info)
        return asyncio.run_coroutine_threadsafe(image, self._loop).result()
