"""How a process ends on a signal, and how it recovers when one of its children dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import threading
import time

import httpx2 as httpx
import pytest

from tests.jobs.conftest import NewServer, Server, children, numbered
from tests.processes import is_alive
from tests.waiting import DEADLINE_SECONDS, wait_until

ABORTED = 200


def watched(server: Server, job_id: str) -> threading.Thread:
    """A thread that follows the events of a job to their end."""

    def watch() -> None:
        url = f"{server.http.base_url}/api/jobs/{job_id}/events"
        with contextlib.suppress(httpx.TransportError), httpx.stream("GET", url) as events:
            for _ in events.iter_lines():
                pass

    watching = threading.Thread(target=watch)
    watching.start()
    return watching


@pytest.mark.parametrize("signals", [1, 2])
def test_a_process_ends_while_a_page_hangs(new_server_on_each: NewServer, signals: int) -> None:
    server = new_server_on_each(seconds=0.01)
    job_id = server.submit(numbered(30), name="good.pdf")["jobId"]
    stuck = server.submit(numbered(2, "@hang"), name="stuck.pdf")["jobId"]
    server.until(lambda: server.job(stuck)["status"] == "running")
    watching = watched(server, stuck)
    assert server.process is not None
    below = children(server.process.pid)
    done = server.job(job_id)["pagesDone"]
    if signals == 2:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)  # two signals at once count as one: also right
    assert server.end(signal.SIGTERM) == 0
    watching.join()
    wait_until(lambda: not any(map(is_alive, below)))
    server.start()
    assert server.job(job_id)["pagesDone"] >= done
    assert server.job(stuck)["status"] in ("queued", "running")


def test_a_second_signal_does_not_wait_for_open_requests_and_logs_no_traceback(
    new_server_on_each: NewServer,
) -> None:
    server = new_server_on_each(server={"drain_seconds": 600})
    job_id = server.submit(numbered(1, "@hang"))["jobId"]
    server.until(lambda: server.job(job_id)["status"] == "running")
    image = numbered(1, "@hang")

    def ask() -> None:
        with contextlib.suppress(httpx.TransportError):
            httpx.post(
                f"{server.http.base_url}/api/ocr",
                files={"image": ("a.pdf", image)},
                timeout=DEADLINE_SECONDS,
            )

    asking = threading.Thread(target=ask)
    asking.start()
    server.until(lambda: server.http.get("/health").json()["queue"]["running"] == 1)
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    server.until(lambda: refuses(server))
    assert server.process.poll() is None, "it did not wait for the open request"
    assert server.end(signal.SIGTERM) == 0
    asking.join()
    assert "Traceback" not in server.log.read_text()


def refuses(server: Server) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_SECONDS).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # accepted just before the socket was closed
        return False
    return False


def test_a_killed_decoder_fails_its_page_at_most(new_server_on_each: NewServer) -> None:
    server = new_server_on_each(seconds=0.02)
    job_id = server.submit(numbered(60))["jobId"]
    kills = 3
    for kill in range(1, kills + 1):
        server.until(lambda kill=kill: server.job(job_id)["pagesDone"] >= 10 * kill)
        assert server.process is not None
        for child in children(server.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    job = server.until_over(job_id)
    assert (job["status"], job["pagesDone"]) == ("succeeded", 60)
    assert job["pagesFailed"] <= 2 * kills, "more failed than there are decoders"
    again = server.submit(numbered(20))["jobId"]
    assert server.until_over(again)["pagesFailed"] == 0


def test_a_restarted_process_has_the_port_and_the_jobs_of_the_killed_one(
    new_server_on_each: NewServer,
) -> None:
    server = new_server_on_each(seconds=0.02)
    job_id = server.submit(numbered(60))["jobId"]
    for start in range(3):
        server.until(lambda start=start: server.job(job_id)["pagesDone"] >= 10 * start)
        assert server.process is not None
        below = children(server.process.pid)
        server.kill()
        server.start()  # on the same port
        server.until(lambda below=below: not any(map(is_alive, below)))
    assert server.until_over(job_id)["pagesFailed"] == 0


def test_aborted_uploads_leave_no_files(new_server_on_each: NewServer) -> None:
    server = new_server_on_each()
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    request = (
        b"POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    reset = struct.pack("ii", 1, 0)
    for number in range(ABORTED):
        with socket.create_connection(
            ("127.0.0.1", server.port), timeout=DEADLINE_SECONDS
        ) as connection:
            connection.sendall(request + head + b"x" * (number % 20 * 100_000))
            if number % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    (incoming,) = (server.runs_dir / "jobs" / "incoming").iterdir()
    server.until(lambda: not any(incoming.iterdir()))
    assert not any((server.runs_dir / "jobs" / "files").iterdir())
    assert server.http.get("/api/jobs").json()["total"] == 0
    answers: list[httpx.Response] = []

    def is_accepted() -> bool:
        """Not at once: the last uploads that were aborted may still have their slots."""
        answers.append(server.http.post("/api/jobs", files={"file": ("a.pdf", numbered(1))}))
        return answers[-1].status_code == 202

    server.until(is_accepted)  # no slot stays occupied
    assert server.until_over(answers[-1].json()["jobId"])["status"] == "succeeded"
