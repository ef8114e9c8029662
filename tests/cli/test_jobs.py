"""`dsocr jobs` against a service in its own process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dsocr.client import Client, JobEvent
from tests.cli.conftest import Dsocr
from tests.fakes import pdf, png
from tests.jobs.conftest import Server, numbered
from tests.waiting import DEADLINE_SECONDS

Serving = Callable[..., Server]


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    servers = []

    def start(**settings: object) -> Server:
        server = Server(tmp_path / "runs", **settings).start()
        servers.append(server)
        monkeypatch.setenv("DSOCR_URL", f"http://127.0.0.1:{server.port}")
        return server

    yield start
    for server in servers:
        server.close()


def test_files_are_submitted_watched_listed_and_exported(
    dsocr: Dsocr, serving: Serving, tmp_path: Path
) -> None:
    serving(server={"api_keys": ["open-sesame"]})
    (tmp_path / "book.pdf").write_bytes(pdf([["one"], ["@crash"], ["three", "@figure"]]))
    (tmp_path / "photo.png").write_bytes(png(["four"]))
    key = ("--key", "open-sesame")
    ran = dsocr("jobs", "submit", tmp_path / "book.pdf", tmp_path / "photo.png", "--watch", *key)
    assert ran.status == 0, ran.err
    job_id = ran.out.decode().strip()
    assert "book.pdf, page 2: " in ran.err
    assert "succeeded: 4 of 4 pages, 1 failed" in ran.err
    listed = dsocr("jobs", "list", "--search", "BOOK", *key).out.decode()
    assert job_id in listed and "4/4" in listed and "book.pdf and 1 more" in listed
    assert job_id not in dsocr("jobs", "list", "--status", "failed", *key).out.decode()
    written = tmp_path / "out" / "book.html"
    assert dsocr("jobs", "export", job_id, "-o", written, *key).status == 0
    assert "three" in written.read_text()
    assert dsocr("jobs", "export", job_id, "-o", tmp_path / "book.md", *key).status == 0
    assert "](book-images/" in (tmp_path / "book.md").read_text()
    assert len(list((tmp_path / "book-images").iterdir())) == 1
    unknown = dsocr("jobs", "export", job_id, "-o", tmp_path / "book.rtf", *key)
    assert unknown.status == 2 and ".html" in unknown.err
    text = dsocr("jobs", "export", job_id, "-f", "text", *key).out.decode()
    assert text.startswith("one") and text.rstrip().endswith("four")
    refused = dsocr("jobs", "list")
    assert refused.status == 1
    assert "key" in refused.err and "Traceback" not in refused.err


def test_watch_reconnects_after_the_service_was_killed_and_restarted(
    dsocr: Dsocr, serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, watching = Client._job_events, threading.Event()

    def watched(client: Client, job_id: str, after: str) -> Iterator[JobEvent]:
        for event in events(client, job_id, after):
            watching.set()
            yield event

    monkeypatch.setattr(Client, "_job_events", watched)
    server = serving(seconds=0.05)
    (tmp_path / "a.pdf").write_bytes(numbered(60))
    job_id = dsocr("jobs", "submit", tmp_path / "a.pdf").out.decode().strip()

    def kill_and_start() -> None:
        assert watching.wait(DEADLINE_SECONDS)
        server.until(lambda: server.job(job_id)["pagesDone"] >= 10)
        server.kill()
        server.start()

    restarting = threading.Thread(target=kill_and_start)
    restarting.start()
    ran = dsocr("jobs", "watch", job_id)
    restarting.join()
    assert ran.status == 0, ran.err
    assert "succeeded: 60 of 60 pages" in ran.err


def test_watching_a_cancelled_or_failed_job_exits_with_an_error(
    dsocr: Dsocr, serving: Serving, tmp_path: Path
) -> None:
    serving()
    (tmp_path / "a.pdf").write_bytes(pdf([["@hang"]] * 3))
    (tmp_path / "b.pdf").write_bytes(pdf([["@crash"]]))
    stuck = dsocr("jobs", "submit", tmp_path / "a.pdf").out.decode().strip()
    assert dsocr("jobs", "cancel", stuck).out == b"cancelled after 0 of 3 pages\n"
    watched = dsocr("jobs", "watch", stuck)
    assert watched.status == 1
    assert "cancelled: 0 of 3 pages" in watched.err
    again = dsocr("jobs", "cancel", stuck)
    assert again.status == 1
    assert again.err == "dsocr: The job is cancelled already.\n"
    failed = dsocr("jobs", "submit", "-w", tmp_path / "b.pdf")
    assert failed.status == 1
    assert "failed: 1 of 1 pages, 1 failed: The engine crashed" in failed.err
    nothing = dsocr("jobs", "watch", "../health")
    assert nothing.err == "dsocr: '../health' is not the id of a job.\n"


def test_an_unreachable_service_is_one_line_of_error(dsocr: Dsocr, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(["a"]))
    ran = dsocr("jobs", "submit", tmp_path / "a.png", "--url", "http://127.0.0.1:9")
    assert ran.status == 1
    assert (
        ran.err == "dsocr: There is no answer from http://127.0.0.1:9. Is `dsocr serve` running?\n"
    )
    missing = dsocr("jobs", "submit", tmp_path / "b.png")
    assert missing.status == 1
    assert "No such file" in missing.err
