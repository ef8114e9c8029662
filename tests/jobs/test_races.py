"""Six processes change one store at the same instant."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsocr.jobs.store import queries, versions
from dsocr.jobs.store.database import Database
from tests.jobs.conftest import ROOT
from tests.jobs.rows import accepted, finished_job
from tests.jobs.writer import JOB, LIMIT, TIMES
from tests.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.slow

WRITERS = 6


@contextlib.contextmanager
def writers(place: Path | str, kind: str) -> Iterator[list[subprocess.Popen[str]]]:
    url = place if isinstance(place, str) else f"sqlite:///{place}"
    command = [sys.executable, "-m", "tests.jobs.writer", url, kind]
    pipe = subprocess.PIPE
    found = [
        subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        for _ in range(WRITERS)
    ]
    try:
        yield found
    finally:
        for process in found:
            process.kill()
            process.communicate()


def results(place: Path | str, kind: str) -> list[list[str]]:
    """What each of the processes got; all start when all are ready."""
    with writers(place, kind) as processes:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=DEADLINE_SECONDS)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * WRITERS
    return [json.loads(output) for output in outputs]


async def test_each_job_is_claimed_once(database: Database) -> None:
    added = [await accepted(database, now=number) for number in range(60)]
    claimed = [job_id for each in results(database.place, "claim") for job_id in each]
    assert Counter(claimed) == Counter(added)


async def test_no_more_jobs_are_accepted_than_the_limit(database: Database) -> None:
    assert sum(map(len, results(database.place, "accept"))) == LIMIT
    assert await database.read(queries.num_unfinished) == LIMIT


async def test_equal_idempotency_keys_are_one_job_each(database: Database) -> None:
    first, *others = results(database.place, "same")
    assert len(set(first)) == TIMES
    assert others == [first] * (WRITERS - 1)
    assert await database.read(queries.num_unfinished) == TIMES


async def test_each_correction_leaves_a_version(database: Database) -> None:
    job_id = await finished_job(database, id=JOB)
    before = (await database.read(queries.job, job_id, 0)).seq
    results(database.place, "correct")
    job = await database.read(queries.job, job_id, 0)
    assert job.seq == before + WRITERS * TIMES
    kept = await database.read(versions.of_page, job_id, 0)
    assert [version.number for version in kept][0] == WRITERS * TIMES
