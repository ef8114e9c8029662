"""A call that had no effect is sent again, with the same key and after the pause asked for."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dsocr.client import (
    InvalidRequest,
    NotFound,
    Overloaded,
    ServiceError,
    ServiceUnreachable,
    Unavailable,
)
from dsocr.client.errors import seconds_of

JOB = {
    **{"jobId": "a", "status": "queued", "pagesTotal": 1, "pagesDone": 0, "pagesFailed": 0},
    **{"files": [], "mode": "gundam", "prompt": "", "engine": "fake", "model": ""},
    **{"createdAt": "", "startedAt": None, "finishedAt": None, "queuePosition": 1},
    **{"etaSeconds": None, "error": None},
}


class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers with `script` one after the other, None: closes the connection, bytes: a successful
    answer with this body; then with a job."""

    script: list[tuple[int, dict[str, str]] | bytes | None] = []
    got: list[tuple[str, str, str | None, bytes]] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.got.append((self.command, self.path, self.headers.get("Idempotency-Key"), body))
        status, headers = 200, {}
        error = {"code": "queue_full", "message": "full", "requestId": "r", "retryable": True}
        content = json.dumps(JOB).encode()
        if self.script:
            scripted = self.script.pop(0)
            if scripted is None:
                self.close_connection = True
                return
            if isinstance(scripted, bytes):
                content = scripted
            else:
                status, headers = scripted
                content = content if status == 200 else json.dumps({"error": error}).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def scripted_url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def scripted(kind: Any, scripted_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    Scripted.script, Scripted.got = [], []
    monkeypatch.setattr("random.uniform", lambda low, high: 0.0)
    made = kind(scripted_url, None)
    yield made
    made.close()


NOW = (429, {"Retry-After": "0"})


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"jobId": "a"}', b"\xff"])
def test_an_answer_of_another_service_is_an_error_of_the_client(scripted: Any, body: bytes) -> None:
    Scripted.script = [body]
    with pytest.raises(ServiceError, match="none of the dsocr API") as found:
        scripted.job("a")
    assert found.value.code == "unexpected"
    assert len(Scripted.got) == 1


def test_a_job_is_submitted_again_with_the_same_key_and_the_whole_file(
    scripted: Any, tmp_path: Any
) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-content")
    Scripted.script = [NOW, (503, {})]
    assert scripted.create_job([tmp_path / "a.pdf"]).jobId == "a"
    keys = {key for _, _, key, _ in Scripted.got}
    assert len(Scripted.got) == 3 and len(keys) == 1 and None not in keys
    assert all(b"%PDF-content" in body for *_, body in Scripted.got)


def test_the_last_error_is_raised_when_no_attempt_is_left(scripted: Any) -> None:
    Scripted.script = [NOW, NOW, NOW]
    with pytest.raises(Overloaded) as full:
        scripted.job("a")
    assert (full.value.retry_after, full.value.request_id) == (0, "r")
    assert Scripted.script == []


def test_a_lost_answer_repeats_only_what_can_be_repeated(scripted: Any) -> None:
    Scripted.script = [None]
    assert scripted.job("a").jobId == "a"
    Scripted.script, Scripted.got = [None], []
    with pytest.raises(ServiceUnreachable) as lost:
        scripted.cancel("a")
    assert lost.value.sent and len(Scripted.got) == 1
    Scripted.script = [None]
    assert scripted.create_job([b"a"]).jobId == "a"


def test_a_proxy_without_the_service_behind_it_is_asked_again_for_reads_alone(
    scripted: Any,
) -> None:
    Scripted.script = [(502, {})]
    assert scripted.job("a").jobId == "a"
    Scripted.script = [(502, {})]
    with pytest.raises(Unavailable):
        scripted.cancel("a")


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (422, InvalidRequest)])
def test_other_errors_are_not_repeated(scripted: Any, status: int, error: Any) -> None:
    Scripted.script = [(status, {})]
    with pytest.raises(error):
        scripted.job("a")
    assert len(Scripted.got) == 1


def test_retry_after_is_a_number_of_seconds_or_a_date() -> None:
    assert seconds_of("7") == 7
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert (seconds_of("Fri, 31 Dec 2100 23:59:59 GMT") or 0) > 1e9
    assert seconds_of("soon") is None and seconds_of(None) is None
