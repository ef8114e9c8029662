"""The interface of this package: everything that can be done with jobs. Imports no HTTP.

An `editor` is who changes a job: the fingerprint of the caller's API key, or where there are no
keys the caller's browser, or "".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from dsocr import tracing
from dsocr.jobs.broadcast import Broadcast
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.files import JobFiles
from dsocr.jobs.job import BROWSER_OWNER, Correction, Job, JobReadOnly, NewJob, StoredPage
from dsocr.jobs.job_runner import EngineProvider
from dsocr.jobs.limits import JobLimits, job_limits
from dsocr.jobs.maintenance import Maintenance
from dsocr.jobs.store import commands, queries, versions
from dsocr.jobs.store.database import Database, parse_url
from dsocr.jobs.stored_jobs import StoredJobs
from dsocr.jobs.submission import Submission, new_job
from dsocr.jobs.webhooks import Callbacks
from dsocr.jobs.worker import JobWorker
from dsocr.jobs.worker_registry import WorkerRegistry
from dsocr.metrics import Metrics, NoMetrics
from dsocr.process.machine import this_machine
from dsocr.types import OcrOptions

ACCEPTING = "accept"
"""Key of the writes that accept jobs: all of them wait for one lock."""


class JobQueue(StoredJobs):
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
        self._registry = registry = WorkerRegistry(folder / "processes")
        files = JobFiles(
            folder,
            registry.id,
            quota_mb=config.quota_mb,
            min_free_mb=config.min_free_mb,
            url=config.storage_url,
        )
        place = parse_url(url) if url else folder / "jobs.sqlite3"
        database = Database(place, metrics.observe_commit)
        super().__init__(database, files, engines, config)
        self._callbacks = Callbacks(database, config)
        self._machine = this_machine()
        self._worker = JobWorker(
            database,
            files,
            registry,
            self._notifier,
            self._live,
            engines,
            config,
            self._limits,
        )
        self._broadcast = Broadcast(database, self._notifier, self._worker.wake)
        self._maintenance = Maintenance(
            database, files, registry, self._callbacks, config, self._remove
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

    @property
    def num_recovered(self) -> int:
        """Jobs that this process went on with after their worker had ended or was lost."""
        return self._worker.num_recovered

    async def editable(self, job_id: str, editor: str | None) -> Job:
        """The job, if the caller may change it. Raises `JobReadOnly`."""
        is_key = editor is not None and _is_key(editor)
        job = await self.get(job_id, editor if is_key else None)
        if not job.is_editable(editor):
            raise JobReadOnly()
        return job

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

    async def take_version(
        self, job_id: str, index: int, number: int, editor: str | None = None
    ) -> StoredPage:
        """Makes a version the page. Raises what `versions.take` raises."""
        await self.editable(job_id, editor)
        await self._database.write(versions.take, job_id, index, number, time.time())
        self._notifier.notify(job_id)
        return await self._database.read(queries.page, job_id, index)

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
