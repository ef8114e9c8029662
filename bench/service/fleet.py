"""Measures how soon a host goes on with the jobs of one that is killed.

python -m bench.service.fleet [--rounds 3]

Two services with the fake engine of the tests, a folder each, one PostgreSQL and one S3 server of
moto; the lease is the default one. Needs the extras `postgres`, `cloud` and `dev`, and PostgreSQL's
programs.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from pathlib import Path

from dsocr.jobs.config import JobsConfig
from tests.jobs.conftest import Server, numbered
from tests.postgres import postgres_server
from tests.s3 import environment, new_bucket, s3_server

PAGES = 400
SECONDS_PER_PAGE = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each request
    rounds = parser.parse_args().rounds
    with postgres_server() as postgres, s3_server() as s3, tempfile.TemporaryDirectory() as folder:
        os.environ |= environment(s3)
        for number in range(rounds):
            measure(Path(folder) / str(number), postgres.new_database(), new_bucket(s3))


def measure(folder: Path, database_url: str, bucket: str) -> None:
    jobs = {"storage_url": bucket}
    one, two = (
        Server(folder / name, seconds=SECONDS_PER_PAGE, database_url=database_url, jobs=jobs)
        for name in ("one", "two")
    )
    try:
        one.start()
        job_id = one.submit(numbered(PAGES))["jobId"]
        one.until(lambda: pages_done(one, job_id) >= 3)
        two.start()
        two.until(lambda: two.job(job_id)["status"] == "running")
        report(one, two, job_id)
    finally:
        one.close()
        two.close()


def report(one: Server, two: Server, job_id: str) -> None:
    """Kills the first service and prints what the second one does."""
    one.kill()
    killed_at, done = time.monotonic(), pages_done(two, job_id)
    two.until(lambda: pages_done(two, job_id) > done, seconds=300)
    seconds = time.monotonic() - killed_at
    two.until_over(job_id, seconds=600)
    texts = two.texts(job_id)
    once = texts == [f"p{number}" for number in range(PAGES)]
    lease = JobsConfig().lease_seconds
    print(
        f"killed after {done} pages; the next page is stored {seconds:.1f} s later "
        f"(lease {lease:.0f} s); {len(texts)} pages, every one once: {once}"
    )


def pages_done(server: Server, job_id: str) -> int:
    return int(server.job(job_id)["pagesDone"])


if __name__ == "__main__":
    main()
