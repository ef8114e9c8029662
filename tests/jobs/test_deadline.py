"""The time limit of a job, by a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest

from dsocr.jobs.config import JobsConfig
from dsocr.jobs.deadline import Deadline, JobTimeout


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def deadline(num_pages: int, clock: Clock, **config: Any) -> Deadline:
    return Deadline(num_pages, JobsConfig(**config), clock)


def test_the_pages_of_a_job_share_their_time() -> None:
    clock = Clock()
    job = deadline(3, clock, seconds_per_page=10)
    clock.now += 29  # a slow first page may use the time of the other pages
    job.page_done()
    clock.now += 2
    with pytest.raises(JobTimeout, match=r"30 seconds, and 1 pages .* What was read is kept"):
        job.page_done()


def test_a_late_last_page_completes_the_job() -> None:
    clock = Clock()
    job = deadline(1, clock, seconds_per_page=10)
    clock.now += 1000
    job.page_done()


def test_max_seconds_caps_a_job_of_many_pages() -> None:
    clock = Clock()
    long, short = (deadline(pages, clock, seconds_per_page=10, max_seconds=60) for pages in (9, 2))
    clock.now += 30
    long.page_done()
    with pytest.raises(JobTimeout):
        short.page_done()
    clock.now += 31
    with pytest.raises(JobTimeout):
        long.page_done()


def test_without_limits_a_job_never_times_out() -> None:
    clock = Clock()
    job = deadline(9, clock, seconds_per_page=0)
    clock.now += 1e9
    job.page_done()


def test_overlapping_pauses_count_once_and_not_as_time() -> None:
    clock = Clock()
    job = deadline(3, clock, seconds_per_page=10)
    with job.paused():
        clock.now += 500
        with job.paused():
            clock.now += 500
    clock.now += 29
    job.page_done()
    clock.now += 2
    with pytest.raises(JobTimeout):
        job.page_done()
