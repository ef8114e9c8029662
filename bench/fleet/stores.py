"""The job store on SQLite beside PostgreSQL: jobs accepted and pages stored a second.

`python -m bench.fleet.stores` needs the extra `postgres` and PostgreSQL's programs. The two stores
take turns, so that other work of the machine slows both. PostgreSQL syncs each commit to the disk,
as SQLite does.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.jobs import _job, _page
from dsocr.jobs.job import ClaimRequest
from dsocr.jobs.store import commands, leases
from dsocr.jobs.store.database import Database, parse_url
from tests.postgres import postgres_server

WRITERS = 16
"""Writes in flight: pages of a service that become ready at the same time."""
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100, help="jobs accepted in each round")
    parser.add_argument("--pages", type=int, default=300, help="pages stored in each round")
    given = parser.parse_args()
    with postgres_server(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        stores = {
            "SQLite": Database(Path(folder) / "jobs.sqlite3"),
            "PostgreSQL": Database(parse_url(server.new_database())),
        }
        asyncio.run(compare(stores, given.jobs, given.pages))


async def compare(stores: dict[str, Database], num_jobs: int, num_pages: int) -> None:
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in stores}
    for store in stores.values():
        await store.open()
    for number in range(ROUNDS):
        for name, store in stores.items():
            accepted = await accept_jobs(store, number, num_jobs)
            rates[name].append((accepted, await store_pages(store, number, num_pages)))
    for name, found in rates.items():
        jobs, pages = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name}: {jobs:.0f} jobs accepted and {pages:.0f} pages stored a second")
        print("   rounds:", ", ".join(f"{one:.0f} and {two:.0f}" for one, two in found))
    for store in stores.values():
        await store.close()


async def accept_jobs(store: Database, number: int, count: int) -> float:
    """A second, of jobs with three pages."""

    async def accept(index: int) -> None:
        job = _job(f"a{number:03}{index:028x}", "scan.pdf", 3)
        await store.write_in_turn(
            "accept", commands.accept, job, time.time(), max_unfinished=10**9, max_of_owner=None
        )

    return await rate(count, accept)


async def store_pages(store: Database, number: int, count: int) -> float:
    """A second, of pages with 10,000 characters in 40 blocks, of one job."""
    job = _job(f"f{number:031x}", "book.pdf", count, time.time())
    await store.write(_finish_others)
    await store.write(commands.accept, job, time.time(), max_unfinished=10**9, max_of_owner=None)
    [lease] = await store.write(leases.claim, ClaimRequest("me", "fake"), 0, limit=1)

    async def add(index: int) -> None:
        await store.write_in_turn(job.id, leases.store_page, lease, _page(index), 0)

    return await rate(count, add)


async def rate(count: int, write: Callable[[int], Awaitable[None]]) -> float:
    slots = asyncio.Semaphore(WRITERS)

    async def one(index: int) -> None:
        async with slots:
            await write(index)

    began = time.perf_counter()
    await asyncio.gather(*map(one, range(count)))
    return count / (time.perf_counter() - began)


def _finish_others(connection: Any) -> None:
    connection.exec_driver_sql("update jobs set status='succeeded'")


if __name__ == "__main__":
    main()
