"""Drives the service with several client processes at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.service.client import Kind

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

    def __init__(self, port: int, kind: Kind, files: Sequence[Path], at_once: int) -> None:
        count = num_processes(at_once)
        self._processes = []
        for number in range(count):
            share = (at_once + count - 1 - number) // count
            plan = {
                "port": port,
                "kind": kind,
                "files": [str(file) for file in files[number::count]],
                "at_once": share,
            }
            self._processes.append(_start(plan))
        for process in self._processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"

    def run(self) -> Load:
        """Starts all and waits for their end."""
        began = time.monotonic()
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        results = [json.loads(process.communicate()[0]) for process in self._processes]
        return merge(began, results)


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


def _start(plan: dict[str, Any]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.service.client"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan) + "\n")
    process.stdin.flush()
    return process
