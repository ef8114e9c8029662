"""Requests that real clients sent, recorded byte by byte; `test_real_clients` runs the clients.

The files in `tests/data/contracts` were recorded by `record.py` with the programs in `clients/`,
the fake engine, and the files of `tests.fakes`: an image of "printed words", and a PDF of "first
page" and "second page".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dsocr.server.app import create_app
from tests.fakes import FakeEngine
from tests.server.conftest import settings_with
from tests.waiting import wait_until

RECORDED = Path(__file__).parents[2] / "data" / "contracts"
FILE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LINK = re.compile(r"http://[^\"]*/content\?expires=\d+&signature=[0-9a-f]+")
JOB_ID = re.compile(r"(?<=/)[0-9a-f]{32}(?=[./?]|$)")
TEXTS = ("printed words", "first page", "second page")
KEY = "secret"
DRAWS_AGAIN = "liteparse"
"""It sends a picture of its own, in which the fake engine finds no words."""


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service that requires `KEY`."""
    settings = settings_with(tmp_path_factory.mktemp("runs"), api_keys=(KEY,))
    app = create_app(settings, create_engine=lambda name, config: FakeEngine())
    with TestClient(app, raise_server_exceptions=False) as http:
        yield http


@dataclass(frozen=True)
class SocketAnswer:
    """What a web socket got: the status of the request, and the last state of the task."""

    status_code: int
    text: str = ""


class Replay:
    """Sends recorded requests; ids and links of the recording become those of this service."""

    def __init__(self, http: TestClient) -> None:
        self._http = http
        self._file_id = ""
        self._link = ""
        self._job_id = ""

    def send(self, recorded: dict[str, Any]) -> Any:
        path = FILE_ID.sub(lambda _: self._file_id, recorded["path"])
        if JOB_ID.search(path):
            path = JOB_ID.sub(self._job_id, path)
            wait_until(self._has_ended)
        if recorded["method"] == "WEBSOCKET":
            return self._follow(path, recorded["headers"])
        body = LINK.sub(lambda _: self._link, recorded.get("body", ""))
        if "file_id" in body:
            body = FILE_ID.sub(lambda _: self._file_id, body)
        answer = self._http.request(
            recorded["method"], path, content=body.encode("latin-1"), headers=recorded["headers"]
        )
        self._keep_ids(path, answer)
        return answer

    def _follow(self, path: str, headers: dict[str, str]) -> SocketAnswer:
        """Receives until the service closes the socket, or refuses it."""
        state, status = "", 403
        try:
            with self._http.websocket_connect(path, headers=headers) as socket:
                status = 101
                while True:
                    state = socket.receive_json()["task"]["task_status"]
        except WebSocketDisconnect:
            return SocketAnswer(status, state)

    def _has_ended(self) -> bool:
        job = self._http.get(f"/api/jobs/{self._job_id}", headers={"X-Api-Key": KEY}).json()
        return job["finishedAt"] is not None

    def _keep_ids(self, path: str, answer: Any) -> None:
        if path == "/v1/files":
            self._file_id = answer.json()["id"]
        elif "/v1/files/" in path and "/url" in path:
            self._link = answer.json()["url"]
        elif "operation-location" in answer.headers:
            self._job_id = JOB_ID.findall(answer.headers["operation-location"])[0]
        elif path.endswith("/async") and answer.status_code == 200:
            self._job_id = answer.json()["task_id"].partition(".")[0]


def reads(recorded: dict[str, Any]) -> bool:
    """Whether the answer has the text of a document."""
    path = recorded["path"].partition("?")[0]
    is_result = "/v1/result/" in path or ("/analyzeResults/" in path and not path.endswith("/pdf"))
    is_sent = recorded["method"] in ("POST", "PUT") and recorded["status"] == 200
    return is_result or (is_sent and path != "/v1/files" and not path.endswith("/async"))


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDED.glob("*.json")))
def test_recorded_requests_are_answered_as_when_they_were_recorded(
    locked: TestClient, name: str
) -> None:
    requests = json.loads((RECORDED / f"{name}.json").read_text())["requests"]
    replay = Replay(locked)
    for recorded in requests:
        answer = replay.send(recorded)
        assert answer.status_code == recorded["status"], (recorded["path"], answer.text)
        found = answer.text.replace("\\n", " ")  # the lines of a narrow block, as JSON
        assert answer.text == recorded.get("state", answer.text)
        if name == DRAWS_AGAIN:
            assert answer.json() == {"results": []}
            continue
        assert not reads(recorded) or any(text in found for text in TEXTS), answer.text
