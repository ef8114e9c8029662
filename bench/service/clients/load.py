"""Drives the service with several client processes at a time."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.service.clients.client import Kind

START_SECONDS = 120
"""Of a client."""
MAX_PROCESSES = 4
CORES_PER_PROCESS = 4


@dataclass(frozen=True, slots=True)
class Load:
    """What all clients of a row got. Times are of the monotonic clock."""

    began: float
    ended: float
    """The last answer."""
    pages: int
    failed: int
    refused: int
    """Requests answered with 429 or 503, and sent again."""
    latencies: list[float]
    first_texts: list[float]
    jobs: list[str]
    cpu_seconds: float


def num_processes(at_once: int) -> int:
    """Client processes for so many requests in flight: one for every four cores, at most four."""
    return max(1, min(MAX_PROCESSES, (os.cpu_count() or 1) // CORES_PER_PROCESS, at_once))


class Clients:
    """Client processes that are ready to start."""

    def __init__(
        self, port: int, kind: Kind, files: Sequence[Path], at_once: int, seconds: float
    ) -> None:
        """`seconds`: the time that all answers may take."""
        count = num_processes(at_once)
        self._seconds = seconds
        self._processes: list[subprocess.Popen[str]] = []
        for number in range(count):
            share = (at_once + count - 1 - number) // count
            plan = {
                "port": port,
                "kind": kind,
                "files": [str(file) for file in files[number::count]],
                "at_once": share,
            }
            self._processes.append(_start(plan))
        with self._ending():
            for process in self._processes:
                _wait_until_ready(process)

    def run(self) -> Load:
        """Starts all and waits for their end. Raises `TimeoutError`."""
        began = time.monotonic()
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        with self._ending():
            results = [
                json.loads(process.communicate(timeout=self._left(began))[0])
                for process in self._processes
            ]
        return merge(began, results)

    def _left(self, began: float) -> float:
        return max(0.0, began + self._seconds - time.monotonic())

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Ends the clients if one of them fails or is not done in time."""
        try:
            yield
        except BaseException as error:
            for process in self._processes:
                process.kill()
                process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError(f"requests without an answer for {self._seconds:g} s") from error
            raise


def merge(began: float, results: Sequence[dict[str, Any]]) -> Load:
    """The results of all clients as one."""
    spans = [span for result in results for span in result["spans"]]
    refusals = ("429", "503")
    return Load(
        began=began,
        ended=max(end for _, end in spans),
        pages=sum(result["pages"] for result in results),
        failed=sum(result["failed"] for result in results),
        refused=sum(result["statuses"].get(code, 0) for result in results for code in refusals),
        latencies=[end - begin for begin, end in spans],
        first_texts=[one for result in results for one in result["first_texts"]],
        jobs=[job for result in results for job in result["jobs"]],
        cpu_seconds=sum(result["cpu_seconds"] for result in results),
    )


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    if not readable:
        raise TimeoutError(f"a client did not start within {START_SECONDS} s")
    assert process.stdout.readline() == "ready\n"


def _start(plan: dict[str, Any]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.service.clients.client"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan) + "\n")
    process.stdin.flush()
    return process
