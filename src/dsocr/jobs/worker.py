"""Claims jobs of a store and runs them; keeps this process's leases and heartbeat.

Any number of processes work on one store, one worker each. The jobs of a worker that died or froze
are claimed by the others. Imports neither SQL nor HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from dsocr.engines.base import EngineInfo
from dsocr.errors import DiskFull, DsocrError, StoreUnavailable
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.events import JobNotifier
from dsocr.jobs.files import JobFiles
from dsocr.jobs.job import ClaimRequest, Lease
from dsocr.jobs.job_runner import ENGINE_WAIT_SECONDS, EngineProvider, JobRunner
from dsocr.jobs.limits import JobLimits
from dsocr.jobs.live import LiveEvents
from dsocr.jobs.store import leases
from dsocr.jobs.store.database import Database
from dsocr.jobs.store.picking import any_to_claim
from dsocr.jobs.worker_registry import HeartbeatMonitor, WorkerRegistry

log = logging.getLogger(__name__)

CANCEL_SECONDS = 1.0
MAX_CLAIMS = 32
"""In one transaction: other processes wait for it."""


class JobWorker:
    """The worker of this process."""

    def __init__(
        self,
        database: Database,
        files: JobFiles,
        registry: WorkerRegistry,
        notifier: JobNotifier,
        live: LiveEvents,
        engines: EngineProvider,
        config: JobsConfig,
        limits: Callable[[], JobLimits],
    ) -> None:
        self.num_recovered = 0
        """Claimed jobs that another worker had left."""
        self._limits = limits
        self._database = database
        self._registry = registry
        self._notifier = notifier
        self._engines = engines
        self._config = config
        self._runner = JobRunner(database, files, notifier, live, engines, config)
        self._monitor = HeartbeatMonitor(config.lease_seconds)
        self._running: dict[str, tuple[Lease, asyncio.Task[None]]] = {}
        self._look_for_lost_at = 0.0
        """By the monotonic clock."""
        self._lease_lock = asyncio.Lock()
        """Held while `_running` is compared with the leases in the store: a snapshot from before a
        claim, compared after it, would make the new job look lost."""
        self._wake = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        config = self._config
        self._loops = [
            asyncio.create_task(self._repeat(self._send_heartbeat, config.heartbeat_seconds)),
            asyncio.create_task(self._repeat(self._check_leases, config.poll_seconds)),
            asyncio.create_task(self._repeat(self._claim_jobs, config.poll_seconds, self._wake)),
        ]

    async def close(self) -> None:
        """Stops reading; stored pages stay, and the jobs are released for other workers."""
        await _cancel_all([*self._loops, *(task for _, task in self._running.values())])
        try:
            await self._database.write(leases.release_worker, self._registry.id)
        except DiskFull:
            log.warning("the disk is full: jobs are released when this process has ended")
        except StoreUnavailable:
            log.warning("the store cannot be reached: jobs are released when their lease expires")

    def wake(self) -> None:
        """Looks for a job to claim now."""
        self._wake.set()

    def stop(self, job_id: str) -> None:
        """Stops reading a job that was cancelled or removed."""
        running = self._running.get(job_id)
        if running is not None:
            running[1].cancel()

    async def _repeat(
        self, step: Callable[[], Awaitable[None]], seconds: float, wake: asyncio.Event | None = None
    ) -> None:
        """Runs `step` every so many seconds or when woken. After an error it is run again: without
        it no job would run any more."""
        wake = wake or asyncio.Event()
        while True:
            wake.clear()
            try:
                await step()
            except DiskFull:
                log.warning("the disk is full: jobs wait")
            except StoreUnavailable:
                log.warning("the store cannot be reached: jobs wait")
            except Exception:
                log.exception("unexpected error in a loop of the job worker")
            timer = asyncio.get_running_loop().call_later(seconds, wake.set)
            try:
                await wake.wait()
            finally:
                timer.cancel()

    async def _send_heartbeat(self) -> None:
        await self._database.write(leases.heartbeat, self._registry.id)

    async def _check_leases(self) -> None:
        """Stops jobs whose lease is lost (cancelled, deleted, claimed by another worker), and
        releases leases without a running task, which an unexpected error leaves."""
        async with self._lease_lock:
            stored = await self._database.read(leases.leases_of, self._registry.id)
            for job_id, (lease, task) in list(self._running.items()):
                if stored.pop(job_id, None) != lease.epoch:
                    task.cancel()
            for job_id, epoch in stored.items():
                await self._database.write(leases.release_job, Lease(job_id, epoch))

    async def _claim_jobs(self) -> None:
        while await self._claim_some():
            pass

    async def _claim_some(self) -> bool:
        """Whether as many jobs as possible were claimed, so that there may be more."""
        info = await self._default_engine()
        if info is None and not self._engines.other_names:
            return False
        lost = await self._newly_lost_workers()
        request = self._claim_request(info, lost)
        if not lost and not await self._database.read(any_to_claim, request):
            return False
        async with self._lease_lock:
            claimed = await self._database.write(
                leases.claim, request, time.time(), limit=MAX_CLAIMS
            )
            for lease in claimed:
                self._start_job(lease)
        if len(claimed) < MAX_CLAIMS:
            for worker in lost:  # what they still hold waits for room, without a holder
                await self._database.write(leases.release_worker, worker)
                self._registry.forget(worker)
        return len(claimed) == MAX_CLAIMS

    async def _default_engine(self) -> EngineInfo | None:
        """None while it is not ready. Jobs for other engines do not wait for it."""
        wait_seconds = 0 if self._engines.other_names else ENGINE_WAIT_SECONDS
        try:
            return (await self._engines.pipeline(wait_seconds))[1]
        except DsocrError:  # the host logs why it does not start
            return None

    def _claim_request(self, info: EngineInfo | None, lost: Sequence[str]) -> ClaimRequest:
        limits = self._limits()
        return ClaimRequest(
            worker=self._registry.id,
            engine=info.name if info else "",
            model=info.model if info else "",
            others=self._engines.names if info else self._engines.other_names,
            lost_workers=lost,
            max_jobs_of_owner=limits.running.value,
            few_jobs=limits.few_running,
            enough_pages=limits.enough_pages,
        )

    def _start_job(self, lease: Lease) -> None:
        self._notifier.notify(lease.job_id)
        log.info("job %s: claimed with epoch %d", lease.job_id, lease.epoch)
        previous = self._running.get(lease.job_id)
        if previous is not None:
            previous[1].cancel()
        self.num_recovered += lease.recovered
        task = asyncio.create_task(self._runner.run(lease))
        self._running[lease.job_id] = (lease, task)
        task.add_done_callback(lambda _: self._on_job_ended(lease))

    def _on_job_ended(self, lease: Lease) -> None:
        running = self._running.get(lease.job_id)
        if running is not None and running[0] is lease:
            del self._running[lease.job_id]
        self._notifier.notify(lease.job_id)
        self.wake()

    async def _newly_lost_workers(self) -> list[str]:
        """`_lost_workers`, looked for at intervals: a claim after each job would look too often."""
        if time.monotonic() < self._look_for_lost_at:
            return []
        lost = await self._lost_workers()
        if not lost:
            self._look_for_lost_at = time.monotonic() + self._config.poll_seconds
        return lost

    async def _lost_workers(self) -> list[str]:
        """Workers whose jobs may be claimed: they died, or their heartbeat expired."""
        try:
            heartbeats = await self._database.read(leases.heartbeats)
        except StoreUnavailable:
            self._monitor.restart()  # the others could not send any either
            raise
        expired = self._monitor.expired(heartbeats) - {self._registry.id}
        return sorted(expired | self._registry.dead())


async def _cancel_all(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels the tasks until all have ended: `asyncio.wait_for` may swallow a cancellation that
    arrives just as its inner task ends (Python 3.10 and 3.11)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_SECONDS)
