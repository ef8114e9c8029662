"""The time that a job has, by a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest

from dsocr.jobs.config import JobsConfig
from dsocr.jobs.deadline import Deadline, JobTimeout


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def budget(num_pages: int, clock: Clock, **config: Any) -> Deadline:
    return Deadline(num_pages, JobsConfig(**config), clock)


def test_a_job_has_so_much_time_for_all_its_pages_together() -> None:
    clock = Clock()
    job = budget(3, clock, seconds_per_page=10)
    clock.now += 29  # a slow first page may use the time of the others
    job.page_done()
    clock.now += 2
    with pytest.raises(JobTimeout, match=r"30 seconds, and 1 pages .* What was read is kept"):
        job.page_done()


def test_a_job_whose_last_page_comes_late_is_whole_all_the_same() -> None:
    clock = Clock()
    job = budget(1, clock, seconds_per_page=10)
    clock.now += 1000
    job.page_done()


def test_the_cap_holds_for_jobs_of_many_pages() -> None:
    clock = Clock()
    long, short = (budget(pages, clock, seconds_per_page=10, max_seconds=60) for pages in (9, 2))
    clock.now += 30
    long.page_done()
    with pytest.raises(JobTimeout):
        short.page_done()
    clock.now += 31
    with pytest.raises(JobTimeout):
        long.page_done()


def test_without_limits_a_job_has_all_the_time() -> None:
    clock = Clock()
    job = budget(9, clock, seconds_per_page=0)
    clock.now += 1e9
    job.page_done()


def test_what_a_job_waits_for_does_not_count_and_not_twice_either() -> None:
    clock = Clock()
    job = budget(3, clock, seconds_per_page=10)
    with job.paused():
        clock.now += 500
        with job.paused():
            clock.now += 500
    clock.now += 29
    job.page_done()
    clock.now += 2
    with pytest.raises(JobTimeout):
        job.page_done()
