"""The limits of jobs in effect: settings, or what the engine and the machine allow."""

from __future__ import annotations

from dataclasses import dataclass

from dsocr.jobs.config import JobsConfig
from dsocr.process.capacity import Limit, by_engine, by_memory, configured, tightest
from dsocr.process.machine import Machine

MIN_UPLOADS = 32
MIN_RUNNING = 8
MIN_UNFINISHED = 1000
MIN_PER_KEY = 10
UPLOAD_BYTES = 2 << 20
"""Memory of one upload while it is received: its files are on the disk."""
UPLOAD_MEMORY_SHARE = 16


@dataclass(frozen=True, slots=True)
class JobLimits:
    uploads: Limit
    running: Limit
    """Of one owner, on this worker."""
    unfinished: Limit
    per_key: Limit
    """Unfinished jobs of one key."""
    few_running: int
    """From this many jobs on, an owner gets another one only while fewer than `enough_pages` of the
    owner's running jobs are left."""
    enough_pages: int


def job_limits(config: JobsConfig, max_concurrency: int | None, machine: Machine) -> JobLimits:
    """`max_concurrency`: pages that the engine takes at once; None while it is not ready.

    A job may have a single page: as many jobs as pages in flight keep the engine busy. Long jobs
    need no more than a few at once.
    """
    engine = by_engine(max_concurrency)
    memory = by_memory(machine, UPLOAD_MEMORY_SHARE, UPLOAD_BYTES)
    running = _limit(config.max_running, MIN_RUNNING, engine)
    return JobLimits(
        uploads=_limit(config.max_uploads, MIN_UPLOADS, engine, memory),
        running=running,
        unfinished=_limit(config.max_unfinished, MIN_UNFINISHED, by_engine(max_concurrency, 4)),
        per_key=_limit(config.max_jobs_per_key, MIN_PER_KEY, engine),
        few_running=running.value if config.max_running else MIN_RUNNING,
        enough_pages=by_engine(max_concurrency, 2).value,
    )


def _limit(setting: int | None, least: int, *bounds: Limit) -> Limit:
    return tightest(least, *bounds) if setting is None else configured(setting)
