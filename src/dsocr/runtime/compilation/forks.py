"""Runs jobs in forked processes: they share what the process has imported and loaded. POSIX only.

The jobs' numbers lie in a pipe, from which each process takes the next when it is free; a second
pipe returns a byte for each job that is done. A process whose parent has died ends with the job it
is at, since it can report no longer.
"""

from __future__ import annotations

import contextlib
import os
import traceback
import warnings
from collections.abc import Callable, Sequence

MAX_JOBS = 10_000
"""Their numbers fit into a pipe's buffer."""

_NUMBER_BYTES = 4


def run_forked(
    jobs: Sequence[Callable[[], None]], num_processes: int, on_done: Callable[[int], None]
) -> set[int]:
    """Runs all jobs; `on_done` gets the number of jobs that are done. Returns the indices of those
    that did not succeed: an error is printed, a process that dies takes one job with it."""
    assert len(jobs) <= MAX_JOBS
    numbers, results = os.pipe(), os.pipe()
    os.write(numbers[1], b"".join(_encoded(index) for index in range(len(jobs))))
    os.close(numbers[1])
    children = [_forked(jobs, numbers[0], results) for _ in range(min(num_processes, len(jobs)))]
    os.close(numbers[0])
    os.close(results[1])
    left = set(range(len(jobs)))
    num_done = 0
    while result := os.read(results[0], _NUMBER_BYTES + 1):
        num_done += 1
        if result[-1:] == b"\1":
            left.discard(int.from_bytes(result[:_NUMBER_BYTES], "little"))
        on_done(num_done)
    os.close(results[0])
    for child in children:
        os.waitpid(child, 0)
    return left


def _forked(jobs: Sequence[Callable[[], None]], numbers: int, results: tuple[int, int]) -> int:
    with warnings.catch_warnings():
        # the other threads only wait for the parent's end
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    with contextlib.suppress(BaseException):
        os.close(results[0])
        while number := os.read(numbers, _NUMBER_BYTES):
            succeeded = _succeeds(jobs[int.from_bytes(number, "little")])
            os.write(results[1], number + bytes([succeeded]))
    os._exit(0)


def _succeeds(job: Callable[[], None]) -> bool:
    try:
        job()
    except Exception:
        traceback.print_exc()
        return False
    return True


def _encoded(index: int) -> bytes:
    return index.to_bytes(_NUMBER_BYTES, "little")
