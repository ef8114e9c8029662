"""Jobs resume and lose nothing after kills, freezes, stops and restarts."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import random
import signal
import sqlite3
import threading
import time
from typing import Any

import httpx2 as httpx
import pytest

from dsocr.jobs.store import queries
from dsocr.jobs.store.database import Database
from tests.jobs.conftest import NewServer, Server, children, numbered
from tests.processes import is_alive
from tests.waiting import wait_until

IN_FLIGHT = 3
"""Most pages that the engine of these tests has started: its max_concurrency and one."""


def readings(server: Server, job_id: str) -> int:
    """How many times a page of the job was stored: each takes one number."""

    async def seq() -> int | None:
        database = Database(server.store)
        await database.open()
        found = await database.read(queries.seq, job_id)
        await database.close()
        return found

    found = asyncio.run(seq())
    assert found is not None
    return found


def is_whole(server: Server) -> bool:
    """Whether a kill has left the file of the store sound. PostgreSQL was not killed."""
    if isinstance(server.store, str):
        return True
    with contextlib.closing(sqlite3.connect(server.store)) as store:
        (answer,) = store.execute("pragma integrity_check").fetchone()
        return bool(answer == "ok")


def freeze(server: Server) -> None:
    """Stops the process. A process stopped inside a write blocks every other writer of a SQLite
    database, so it is stopped between two there."""
    assert server.process is not None
    if isinstance(server.store, str):
        server.process.send_signal(signal.SIGSTOP)
        return
    with (server.runs_dir / "jobs" / "jobs.sqlite3-turn").open("r+") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        server.process.send_signal(signal.SIGSTOP)


def read_through_kills(server: Server, pages: int, kills: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    job_id = server.submit(numbered(pages))["jobId"]
    progress = 0
    for kill in range(kills):
        goal = pages * (kill + chance.random()) / (kills + 1)
        server.until(lambda goal=goal: server.job(job_id)["pagesDone"] >= goal)
        time.sleep(chance.random() * 0.05)
        server.kill()
        assert is_whole(server)
        server.start()
        now = server.job(job_id)["pagesDone"]
        assert now >= progress
        progress = now
    job = server.until_over(job_id)
    assert (job["status"], job["pagesDone"], job["pagesFailed"]) == ("succeeded", pages, 0)
    # Each process adds one for its claim and one for its engine; each page one; the end one.
    overhead = 1 + 2 * (kills + 1) + 1
    assert readings(server, job_id) <= overhead + pages
    return server.texts(job_id)


def test_a_job_resumes_after_kills_at_random_moments(new_server_on_each: NewServer) -> None:
    server = new_server_on_each(seconds=0.02)
    texts = read_through_kills(server, pages=200, kills=3, seed=1)
    assert texts == [f"p{number}" for number in range(200)]


@pytest.mark.slow
def test_a_job_survives_twenty_kills(new_server_on_each: NewServer) -> None:
    server = new_server_on_each(seconds=0.05)
    texts = read_through_kills(server, pages=400, kills=20, seed=2)
    assert texts == [f"p{number}" for number in range(400)]


@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_an_accepted_job_survives_an_immediate_kill(
    new_server_on_each: NewServer, rounds: int
) -> None:
    server = new_server_on_each(seconds=10)
    accepted = []
    for number in range(rounds):
        accepted.append(server.submit(numbered(2), name=f"{number}.pdf")["jobId"])
        server.kill()
        assert is_whole(server)
        server.start()
        files = server.runs_dir / "jobs" / "files" / accepted[-1]
        assert (files / "0").read_bytes() == numbered(2)
    for job_id in accepted:
        assert server.job(job_id)["pagesTotal"] == 2


def test_an_idempotency_key_gives_the_same_job_after_a_kill(new_server_on_each: NewServer) -> None:
    server = new_server_on_each()
    headers = {"Idempotency-Key": "once"}
    first = server.submit(numbered(1), headers=headers)
    server.kill()
    server.start()
    assert server.submit(numbered(1), headers=headers)["jobId"] == first["jobId"]
    other = server.http.post("/api/jobs", files={"file": ("a.pdf", numbered(2))}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")


def test_twenty_concurrent_submissions_with_one_key_are_one_job(
    new_server_on_each: NewServer,
) -> None:
    server = new_server_on_each()
    found: list[str] = []

    def submit() -> None:
        job = server.submit(numbered(1), headers={"Idempotency-Key": "same"})
        found.append(job["jobId"])

    threads = [threading.Thread(target=submit) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1
    assert server.http.get("/api/jobs").json()["total"] == 1
    assert len(list((server.runs_dir / "jobs" / "files").iterdir())) == 1


def test_a_frozen_process_cannot_overwrite_the_next_holder_of_the_lease(
    new_server_on_each: NewServer,
) -> None:
    # the short lease is that of the second process, which starts when the first is frozen: on a
    # slow machine no late heartbeat is taken for a frozen process
    quick = {"jobs": {"lease_seconds": 1.0, "heartbeat_seconds": 0.2, "poll_seconds": 0.2}}
    first = new_server_on_each(seconds=0.3, jobs={"lease_seconds": 600, "poll_seconds": 0.2})
    job_id = first.submit(numbered(60))["jobId"]
    first.until(lambda: first.job(job_id)["pagesDone"] >= 5)
    freeze(first)
    second = new_server_on_each(seconds=0.01, **quick)
    frozen_at = second.job(job_id)["pagesDone"]
    second.until(lambda: second.job(job_id)["pagesDone"] > frozen_at + IN_FLIGHT)
    assert first.process is not None
    first.process.send_signal(signal.SIGCONT)
    job = second.until_over(job_id)
    assert (job["status"], job["pagesDone"]) == ("succeeded", 60)
    assert second.texts(job_id) == [f"p{number}" for number in range(60)]
    assert readings(second, job_id) <= 1 + 2 * 2 + 60 + 1
    assert first.job(job_id) == second.job(job_id)


def test_two_processes_share_the_jobs_and_report_the_same_state(
    new_server_on_each: NewServer,
) -> None:
    one, two = new_server_on_each(seconds=0.01), new_server_on_each(seconds=0.01)
    ids = [server.submit(numbered(20))["jobId"] for server in (one, two) * 4]
    for job_id in ids:
        one.until_over(job_id)
        assert one.job(job_id) == two.job(job_id)
        assert one.texts(job_id) == two.texts(job_id) == [f"p{number}" for number in range(20)]
    stuck = one.submit(numbered(5, "@hang"))["jobId"]
    two.until(lambda: two.job(stuck)["status"] == "running")
    assert two.http.post(f"/api/jobs/{stuck}/cancel").status_code == 200
    assert one.job(stuck)["status"] == "cancelled"
    following = one.submit(numbered(3))["jobId"]  # the engine has free slots again
    assert one.until_over(following)["status"] == "succeeded"


def test_another_process_claims_the_jobs_of_a_killed_one_at_once(
    new_server_on_each: NewServer,
) -> None:
    one = new_server_on_each(seconds=0.03)
    job_id = one.submit(numbered(60))["jobId"]
    one.until(lambda: one.job(job_id)["pagesDone"] >= 5)
    two = new_server_on_each(
        seconds=0.03, jobs={"lease_seconds": 3600}
    )  # longer than the test waits
    one.kill()
    job = two.until_over(job_id)
    assert job["status"] == "succeeded"
    assert two.texts(job_id) == [f"p{number}" for number in range(60)]


def test_a_process_stopped_by_a_signal_releases_its_jobs(new_server_on_each: NewServer) -> None:
    server = new_server_on_each(seconds=0.05, server={"drain_seconds": 600})
    job_id = server.submit(numbered(60))["jobId"]
    server.until(lambda: server.job(job_id)["pagesDone"] >= 5)
    assert server.process is not None
    below = children(server.process.pid)
    watched: list[str] = []

    def watch() -> None:
        with (
            contextlib.suppress(httpx.TransportError),
            httpx.stream("GET", f"{server.http.base_url}/api/jobs/{job_id}/events") as events,
        ):
            watched.extend(events.iter_lines())

    watcher = threading.Thread(target=watch)
    watcher.start()
    server.until(lambda: len(watched) > 10)
    assert server.end(signal.SIGTERM) == 0  # long before `drain_seconds` are over
    watcher.join()
    wait_until(lambda: not any(map(is_alive, below)))
    done = [line for line in watched if line == "event: page_done"]
    server.start()
    assert server.job(job_id)["pagesDone"] >= len(done)
    assert server.until_over(job_id)["status"] == "succeeded"


def test_the_children_of_a_killed_process_end(new_server_on_each: NewServer) -> None:
    server = new_server_on_each(seconds=0.05)
    job_id = server.submit(numbered(40))["jobId"]
    server.until(lambda: server.job(job_id)["pagesDone"] >= 3)
    assert server.process is not None
    below = children(server.process.pid)
    assert below
    server.kill()
    wait_until(lambda: not any(map(is_alive, below)))
    server.start()
    assert server.until_over(job_id)["status"] == "succeeded"


def test_an_upload_interrupted_by_a_kill_is_deleted(new_server_on_each: NewServer) -> None:
    server = new_server_on_each(jobs={"sweep_seconds": 0.2, "poll_seconds": 0.1})

    def slowly() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        yield b"x" * (3 << 20)
        server.kill()
        yield b"more"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{server.http.base_url}/api/jobs", content=slowly(), headers=headers)
    incoming = server.runs_dir / "jobs" / "incoming"
    (abandoned,) = incoming.iterdir()
    server.start()
    server.until(lambda: not abandoned.exists())


def test_events_resume_after_the_last_id_also_after_a_restart(
    new_server_on_each: NewServer,
) -> None:
    server = new_server_on_each(seconds=0.03)
    job_id = server.submit(numbered(40))["jobId"]
    url = f"/api/jobs/{job_id}/events"
    pages: list[str] = []
    last = ""
    with server.http.stream("GET", url) as events:
        for line in events.iter_lines():
            if line.startswith("id: "):
                last = line[4:]
            elif line.startswith("data: ") and "filePageIndex" in line:
                pages.append(line)
                if len(pages) == 10:
                    break
    server.kill()
    server.start()
    names = []
    with server.http.stream("GET", url, headers={"Last-Event-ID": last}) as events:
        for line in events.iter_lines():
            if line.startswith("event: "):
                names.append(line[7:])
            elif line.startswith("data: ") and "filePageIndex" in line:
                pages.append(line)
            elif line.startswith("id: "):
                last = line[4:]
    assert len(pages) == len(set(pages)) == 40
    assert names[-1] == "done"
    again = server.http.get(url, headers={"Last-Event-ID": last})
    assert again.status_code == 204
