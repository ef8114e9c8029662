"""The time limit of a job, by the clock of the process that reads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dsocr.errors import DsocrError
from dsocr.jobs.config import JobsConfig


class JobTimeout(DsocrError):
    """The job took longer than its time limit."""

    code = "job_timeout"


class Deadline:
    """The time for the pages that are pending when a worker claims a job; a claim restarts it.

    Waiting for an engine to restart or for disk space does not count.
    """

    def __init__(
        self, num_pages: int, config: JobsConfig, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pages_left = num_pages
        self._seconds = num_pages * config.seconds_per_page
        if config.max_seconds:
            self._seconds = min(self._seconds or config.max_seconds, config.max_seconds)
        self._clock = clock
        self._started_at = clock()
        self._pauses = 0
        self._paused_at = 0.0

    def page_done(self) -> None:
        """Raises `JobTimeout` when the time is over and pages are left."""
        self._pages_left -= 1
        elapsed = self._clock() - self._started_at
        if self._pages_left > 0 and self._seconds and elapsed > self._seconds:
            raise JobTimeout(
                f"It took longer than {self._seconds:.0f} seconds, and {self._pages_left} pages "
                "are still to be read. What was read is kept."
            )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time that does not count; overlapping pauses of several pages count as one."""
        if not self._pauses:
            self._paused_at = self._clock()
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._started_at += self._clock() - self._paused_at
