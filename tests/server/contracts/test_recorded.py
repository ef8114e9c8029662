"""Requests that real clients sent, recorded byte by byte; `test_real_clients` runs the clients.

The files in `tests/data/contracts` were recorded with the programs in `clients/`, the fake engine,
and the files of `tests.fakes`: an image of "printed words", and a PDF of "first page" and
"second page".
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.server.conftest import Client

RECORDED = Path(__file__).parents[2] / "data" / "contracts"
FILE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LINK = re.compile(r"http://[^\"]*/content\?expires=\d+&signature=[0-9a-f]+")
TEXTS = ("printed words", "first page", "second page")


class Replay:
    """Sends recorded requests; ids and links of the recording become those of this service."""

    def __init__(self, http: TestClient) -> None:
        self._http = http
        self._file_id = ""
        self._link = ""

    def send(self, recorded: dict[str, Any]) -> Any:
        path = FILE_ID.sub(lambda _: self._file_id, recorded["path"])
        body = LINK.sub(lambda _: self._link, recorded.get("body", ""))
        if "file_id" in body:
            body = FILE_ID.sub(lambda _: self._file_id, body)
        answer = self._http.request(
            recorded["method"], path, content=body.encode("latin-1"), headers=recorded["headers"]
        )
        if path == "/v1/files":
            self._file_id = answer.json()["id"]
        elif "/url" in path:
            self._link = answer.json()["url"]
        return answer


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDED.glob("*.json")))
def test_recorded_requests_are_answered_as_when_they_were_recorded(
    client: Client, name: str
) -> None:
    requests = json.loads((RECORDED / f"{name}.json").read_text())["requests"]
    with client(api_keys=("secret",)) as http:
        replay = Replay(http)
        for recorded in requests:
            answer = replay.send(recorded)
            assert answer.status_code == recorded["status"], (recorded["path"], answer.text)
            if recorded["method"] == "POST" and answer.status_code == 200:
                is_upload = recorded["path"] == "/v1/files"
                assert is_upload or any(text in answer.text for text in TEXTS)
