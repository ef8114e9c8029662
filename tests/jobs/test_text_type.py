"""Text that a store cannot hold as it is."""

from __future__ import annotations

import pytest

from dsocr.jobs.job import JobFile, JobNotFound
from dsocr.jobs.store import listing, queries
from dsocr.jobs.store.database import Database
from dsocr.jobs.store.listing import JobFilter
from dsocr.jobs.store.text_type import storable
from tests.jobs.rows import accepted


@pytest.mark.parametrize(
    ("text", "stored"),
    [("plain é 文", "plain é 文"), ("a\0b", "a\ufffdb"), ("\ud800x\udfff", "\ufffdx\ufffd")],
)
def test_signs_without_utf8_are_replaced(text: str, stored: str) -> None:
    assert storable(text) == stored


async def test_every_store_takes_any_name_and_any_id(database: Database) -> None:
    job_id = await accepted(database, files=(JobFile(0, "a\0\ud800.pdf", 5 << 30, 1),))
    job = await database.read(queries.job, job_id, 0)
    assert (job.name, job.files[0].size) == ("a\ufffd\ufffd.pdf", 5 << 30)
    assert await database.read(queries.num_bytes) == 5 << 30
    found, total = await database.read(listing.list_jobs, JobFilter(search="a\0"), 0)
    assert (total, found[0].id) == (1, job_id)
    with pytest.raises(JobNotFound):
        await database.read(queries.job, "no\0such\ud800", 0)
