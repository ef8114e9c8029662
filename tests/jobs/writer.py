"""One of several processes that change a store at once.

python -m tests.jobs.writer STORE claim|accept|same|correct

Waits for a line on standard input, does one thing as often as it can, and prints what it got.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Awaitable, Callable

from dsocr.errors import QueueFull
from dsocr.jobs.job import ClaimRequest, Correction
from dsocr.jobs.store import commands, leases
from dsocr.jobs.store.database import Database, parse_url
from tests.jobs.rows import new_job

LIMIT = 10
TIMES = 20
JOB = "one"


async def claim(database: Database) -> list[str]:
    """The jobs it claimed: all that there are for it."""
    request = ClaimRequest(uuid.uuid4().hex, "fake", max_jobs_of_owner=1000)
    found: list[str] = []
    while claimed := await database.write(leases.claim, request, 0, limit=3):
        found += [lease.job_id for lease in claimed]
    return found


async def accept(database: Database) -> list[str]:
    """The jobs it was allowed to add."""
    found = []
    for _ in range(TIMES):
        try:
            new = new_job()
            write = database.write(commands.accept, new, 0, max_unfinished=LIMIT, max_of_owner=None)
            found.append(await write)
        except QueueFull:
            break
    return found


async def same(database: Database) -> list[str]:
    """The jobs that it got for requests with the same keys as the other processes."""
    found = []
    for number in range(TIMES):
        new = new_job(idempotency_key=f"key {number}", fingerprint="same")
        write = database.write(commands.accept, new, 0, max_unfinished=10**6, max_of_owner=None)
        found.append(await write)
    return found


async def correct(database: Database) -> list[str]:
    """Corrects the one page of the job."""
    for number in range(TIMES):
        await database.write(commands.correct, JOB, 0, {0: Correction(f"text {number}")}, 0)
    return []


KINDS: dict[str, Callable[[Database], Awaitable[list[str]]]] = {
    "claim": claim,
    "accept": accept,
    "same": same,
    "correct": correct,
}


async def main(url: str, kind: str) -> None:
    database = Database(parse_url(url))
    await database.open()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps(await KINDS[kind](database)), flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
