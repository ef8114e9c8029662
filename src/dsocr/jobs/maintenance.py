"""What a process does for a store at intervals: callbacks, and the removal of old jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from dsocr.errors import DsocrError, StoreUnavailable
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.files import JobFiles
from dsocr.jobs.store import leases, queries
from dsocr.jobs.store.database import Database
from dsocr.jobs.webhooks import Callbacks
from dsocr.jobs.worker_registry import WorkerRegistry

log = logging.getLogger(__name__)

DAY_SECONDS = 86400.0


class Maintenance:
    """A background task of the job queue."""

    def __init__(
        self,
        database: Database,
        files: JobFiles,
        registry: WorkerRegistry,
        callbacks: Callbacks,
        config: JobsConfig,
        remove_job: Callable[[str], Awaitable[None]],
    ) -> None:
        self._database = database
        self._files = files
        self._registry = registry
        self._callbacks = callbacks
        self._config = config
        self._remove_job = remove_job
        self._task: asyncio.Task[None] | None = None
        self._orphans_at = 0.0
        """When to look for files without a job again, by the monotonic clock."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> None:
        """Removes jobs past their retention, files without a job, uploads of dead processes."""
        await self._remove_old_jobs()
        if time.monotonic() >= self._orphans_at:
            self._orphans_at = time.monotonic() + self._files.orphans_every_seconds
            await self._delete_orphans()
        await asyncio.to_thread(self._files.delete_abandoned, self._registry.is_alive)

    async def _delete_orphans(self) -> None:
        workers = await self._database.read(leases.heartbeats)
        folders = await asyncio.to_thread(self._files.old_folders, workers=workers)
        existing = await self._database.read(queries.existing_ids, folders)
        for job_id in set(folders) - existing:
            await asyncio.to_thread(self._files.delete, job_id)

    async def _remove_old_jobs(self) -> None:
        moment = time.time() - self._config.retention_days * DAY_SECONDS
        while old := await self._database.read(queries.finished_before, moment):
            for job_id in old:
                with contextlib.suppress(DsocrError):
                    await self._remove_job(job_id)

    async def _run(self) -> None:
        swept_at = -self._config.sweep_seconds
        while True:
            try:
                await self._callbacks.deliver_due()
                if time.monotonic() - swept_at >= self._config.sweep_seconds:
                    swept_at = time.monotonic()
                    await self.sweep()
            except StoreUnavailable:
                log.warning("the store cannot be reached: callbacks and old jobs wait")
            except Exception:
                log.exception("unexpected error in the maintenance of jobs")
            await asyncio.sleep(self._config.poll_seconds)
