"""Several hosts with one PostgreSQL and one bucket: each has a folder of its own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.conftest import NewServer, Server, numbered
from tests.jobs.test_survival import readings
from tests.postgres import PostgresServer

pytestmark = pytest.mark.slow

QUICK = {"lease_seconds": 3.0, "heartbeat_seconds": 0.5, "poll_seconds": 0.2}


@pytest.fixture
def new_host(tmp_path: Path, postgres: PostgresServer, bucket: str) -> Iterator[NewServer]:
    """`new_host("a", seconds=0.01)` starts a host."""
    url = postgres.new_database()
    hosts: list[Server] = []

    def make(name: str, seconds: float = 0.01, **jobs: object) -> Server:
        limits = {**QUICK, "storage_url": bucket, **jobs}
        hosts.append(Server(tmp_path / name, seconds=seconds, database_url=url, jobs=limits))
        return hosts[-1].start()

    yield make
    for host in hosts:
        host.close()


def test_every_host_answers_for_every_job(new_host: NewServer) -> None:
    one, two = new_host("one"), new_host("two")
    ids = [host.submit(numbered(10))["jobId"] for host in (one, two) * 6]
    for job_id in ids:
        assert one.until_over(job_id)["status"] == "succeeded"
        assert one.job(job_id) == two.job(job_id)
        assert one.texts(job_id) == two.texts(job_id) == [f"p{number}" for number in range(10)]
    first, *_ = ids
    pictures = [host.http.get(f"/api/jobs/{first}/pages/3/image") for host in (one, two)]
    assert [picture.status_code for picture in pictures] == [200, 200]
    assert pictures[0].content == pictures[1].content
    link = two.http.get(f"/api/jobs/{first}/export/link", params={"format": "json"}).json()
    assert "p9" in two.http.get(link["url"]).text
    assert two.http.delete(f"/api/jobs/{first}").status_code == 204
    assert one.http.get(f"/api/jobs/{first}").status_code == 404


def test_a_kept_file_is_on_every_host(new_host: NewServer) -> None:
    one, two = new_host("one"), new_host("two")
    kept = one.http.post("/v1/files", files={"file": ("a.pdf", numbered(2))}).json()
    assert two.http.get(f"/v1/files/{kept['id']}/content").content == numbered(2)
    link = one.http.get(f"/v1/files/{kept['id']}/url").json()["url"]
    for document in (
        {"type": "file", "file_id": kept["id"]},
        {"type": "document_url", "document_url": link},
    ):
        asked = {"model": "mistral-ocr-latest", "document": document}
        answer = two.http.post("/v1/ocr", json=asked)
        assert [page["markdown"] for page in answer.json()["pages"]] == ["p0", "p1"]
    assert two.http.delete(f"/v1/files/{kept['id']}").status_code == 200
    assert one.http.get(f"/v1/files/{kept['id']}").status_code == 404


def test_another_host_goes_on_with_the_jobs_of_a_killed_one(new_host: NewServer) -> None:
    one = new_host("one", seconds=0.05)
    jobs = [one.submit(numbered(60))["jobId"] for _ in range(3)]
    one.until(lambda: all(one.job(job_id)["pagesDone"] >= 3 for job_id in jobs))
    two = new_host("two", seconds=0.05)
    one.kill()
    for job_id in jobs:
        job = two.until_over(job_id)
        assert (job["status"], job["pagesDone"], job["pagesFailed"]) == ("succeeded", 60, 0)
        assert two.texts(job_id) == [f"p{number}" for number in range(60)]
        # one for the job, two for each host's claim and engine, one for each page, one for the end
        assert readings(two, job_id) <= 1 + 2 * 2 + 60 + 1


def test_a_rolling_restart_loses_no_page(new_host: NewServer) -> None:
    hosts = [new_host("one", seconds=0.05), new_host("two", seconds=0.05)]
    job_id = hosts[0].submit(numbered(120))["jobId"]
    for number, host in enumerate(hosts):
        other = hosts[1 - number]
        other.until(lambda other=other, goal=20 * (number + 1): pages_done(other, job_id) >= goal)
        assert host.end(signal.SIGTERM) == 0
        host.start()
    job = hosts[0].until_over(job_id)
    assert (job["status"], job["pagesDone"], job["pagesFailed"]) == ("succeeded", 120, 0)
    assert hosts[1].texts(job_id) == [f"p{number}" for number in range(120)]
    # the job, a claim and an engine for each of at most five leases, the pages, the end
    assert readings(hosts[0], job_id) <= 1 + 2 * 5 + 120 + 1


def pages_done(host: Server, job_id: str) -> int:
    return int(host.job(job_id)["pagesDone"])


def test_limits_and_idempotency_keys_hold_over_all_hosts(new_host: NewServer) -> None:
    hosts = [new_host(name, seconds=30.0, max_unfinished=4) for name in ("one", "two")]
    found: list[str] = []

    def submit(host: Server) -> None:
        found.append(host.submit(numbered(1), headers={"Idempotency-Key": "same"})["jobId"])

    threads = [threading.Thread(target=submit, args=(host,)) for host in hosts * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and len(set(found)) == 1
    answers = [
        host.http.post("/api/jobs", files={"file": ("a.pdf", numbered(1))}).status_code
        for host in hosts * 3
    ]
    assert answers == [202] * 3 + [429] * 3
    assert all(host.http.get("/api/jobs").json()["total"] == 4 for host in hosts)


def test_a_job_waits_while_the_database_restarts(
    new_host: NewServer, postgres: PostgresServer
) -> None:
    host = new_host("one", seconds=0.05)
    job_id = host.submit(numbered(80))["jobId"]
    host.until(lambda: pages_done(host, job_id) >= 5)
    postgres.stop()
    refused = host.http.get(f"/api/jobs/{job_id}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
    postgres.start()
    job = host.until_over(job_id)
    assert (job["status"], job["pagesDone"], job["pagesFailed"]) == ("succeeded", 80, 0)
    assert host.texts(job_id) == [f"p{number}" for number in range(80)]
