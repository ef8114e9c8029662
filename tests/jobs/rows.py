"""Jobs in a store, without files and without a service."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection

from dsocr.jobs.job import ClaimRequest, JobFile, JobPage, Lease, NewJob
from dsocr.jobs.store import commands, leases
from dsocr.jobs.store.database import Database
from dsocr.types import Block, Box, PageResult
from tests.fakes import OPTIONS


def new_job(num_pages: int = 1, **fields: Any) -> NewJob:
    return NewJob(
        **{
            "id": uuid.uuid4().hex,
            "owner": "",
            "options": OPTIONS,
            "dpi": None,
            "engine": "fake",
            "wanted_engine": None,
            "files": (JobFile(0, "a.pdf", 1000, num_pages),),
            "pages": tuple(JobPage(index, 0, index) for index in range(num_pages)),
            "paths": (),
            **fields,
        }
    )


async def accepted(database: Database, num_pages: int = 1, now: float = 0, **fields: Any) -> str:
    new = new_job(num_pages, **fields)
    return await database.write(commands.accept, new, now, max_unfinished=10**6, max_of_owner=None)


def claim(connection: Connection, request: ClaimRequest, now: float) -> Lease | None:
    """A lease on one job."""
    found = leases.claim(connection, request, now, limit=1)
    return found[0] if found else None


async def claimed(database: Database, worker: str = "me", lost: tuple[str, ...] = ()) -> Lease:
    lease = await database.write(claim, ClaimRequest(worker, "fake", lost, 100), 0)
    assert lease is not None
    return lease


async def finished_job(database: Database, **fields: Any) -> str:
    job_id = await accepted(database, **fields)
    lease = await claimed(database)
    await database.write(leases.store_page, lease, read(0), 0)
    assert await database.write(leases.finish, lease, 1)
    return job_id


def read(index: int, text: str = "words") -> PageResult:
    block = Block("text", text, (Box(0.1, 0.1, 0.9, 0.2),), 0.9)
    return PageResult(index, 100, 200, text, (block,), raw=text)
