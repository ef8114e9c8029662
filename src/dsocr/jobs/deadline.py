"""How long a job may be read, by the clock of whoever reads it. Knows neither pages nor stores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dsocr.errors import DsocrError
from dsocr.jobs.config import JobsConfig


class JobTimeout(DsocrError):
    """The job took longer than it may."""

    code = "job_timeout"


class Deadline:
    """The time for the pages that are left when a process takes a job: a restart begins anew.

    What a job waits for without being read (an engine that restarts, room on the disk) is free.
    """

    def __init__(
        self, num_pages: int, config: JobsConfig, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pages_left = num_pages
        self._seconds = num_pages * config.seconds_per_page
        if config.max_seconds:
            self._seconds = min(self._seconds or config.max_seconds, config.max_seconds)
        self._clock = clock
        self._began = clock()
        self._pauses = 0
        self._paused_at = 0.0

    def page_done(self) -> None:
        """Raises `JobTimeout` when the time is over and there are pages left."""
        self._pages_left -= 1
        if self._pages_left > 0 and self._seconds and self._clock() - self._began > self._seconds:
            raise JobTimeout(
                f"It took longer than {self._seconds:.0f} seconds, and {self._pages_left} pages "
                "are still to be read. What was read is kept."
            )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time that does not count; once, when several pages wait side by side."""
        if not self._pauses:
            self._paused_at = self._clock()
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._began += self._clock() - self._paused_at
