"""One client process: sends files to the service and says what came back.

    python -m bench.service.clients.client

Reads its plan, a line of JSON, from standard input and answers `ready`; starts at the next line;
then prints its result as a line of JSON. Several clients share one row.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.service.clients.http_client import Answer, Connection

Kind = Literal["ocr", "stream", "jobs"]


@dataclass(frozen=True, slots=True)
class Plan:
    port: int
    kind: Kind
    files: list[str]
    at_once: int
    """Requests in flight."""


@dataclass(slots=True)
class Result:
    """Times are of the monotonic clock."""

    statuses: dict[int, int] = field(default_factory=dict)
    pages: int = 0
    """Read; of jobs none, since these are only submitted."""
    failed: int = 0
    spans: list[tuple[float, float]] = field(default_factory=list)
    """From the sending of each request to the end of its answer."""
    first_texts: list[float] = field(default_factory=list)
    """Seconds from the sending of a request to the first text of its stream."""
    jobs: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0


async def run(plan: Plan) -> Result:
    """Sends all files, `at_once` at a time; a refused one again after its `Retry-After`."""
    result, files = Result(), iter(plan.files)

    async def work() -> None:
        connection = Connection(plan.port)
        for file in files:
            while not await _send(connection, plan.kind, Path(file), result):
                pass
        await connection.close()

    cpu = time.process_time()
    await asyncio.gather(*(work() for _ in range(plan.at_once)))
    result.cpu_seconds = time.process_time() - cpu
    return result


async def _send(connection: Connection, kind: Kind, file: Path, result: Result) -> bool:
    """Whether the service took it."""
    began = time.monotonic()
    path, name = ("/api/jobs", "file") if kind == "jobs" else ("/api/ocr", "image")
    answer = await connection.post_file(path, name, file, stream=kind == "stream")
    result.statuses[answer.status] = result.statuses.get(answer.status, 0) + 1
    if answer.status in (429, 503):
        await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
        return False
    result.spans.append((began, time.monotonic()))
    if answer.first_text is not None:
        result.first_texts.append(answer.first_text - began)
    _count(answer, result)
    return True


def _count(answer: Answer, result: Result) -> None:
    if answer.status == 202:
        result.jobs.append(answer.json()["jobId"])
    elif answer.status == 200:
        pages: list[dict[str, Any]] = answer.json()["pages"]
        errors = sum(bool(page.get("error")) for page in pages)
        result.pages += len(pages) - errors
        result.failed += errors
    else:
        print(answer.status, answer.body[:300], file=sys.stderr)
        result.failed += 1


def main() -> None:
    plan = Plan(**json.loads(sys.stdin.readline()))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(dataclasses.asdict(asyncio.run(run(plan)))), flush=True)


if __name__ == "__main__":
    main()
