"""Records the requests of a client for `test_recorded`, from a program of `clients/`.

    python -m tests.server.contracts.record azure PYTHON azure-ai-documentintelligence

`PYTHON` is the interpreter of an environment with that package. The requests are written to
`tests/data/contracts`, named by the package.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dsocr.server.app import create_app
from tests.fakes import FakeEngine, pdf, png
from tests.served import listening
from tests.server.conftest import settings_with

CLIENTS = Path(__file__).parent / "clients"
RECORDED = Path(__file__).parents[2] / "data" / "contracts"
KEY = "secret"
OWN_HEADERS = ("host", "content-length", "connection", "transfer-encoding", "upgrade")
SOCKET_HEADERS = "sec-websocket-"
"""Of the connection, not of the request."""
MACHINE_HEADERS = ("x-ms-client-request-id",)
"""Made of the machine's network address."""
MAX_BODY = 8_000
"""Bytes. A larger one is a picture of a page, in which the fake engine finds no words."""
MACHINE = re.compile(r"\((?:Linux|macOS|Windows)[^)]*\)")


class Recorder:
    """Passes requests on and keeps them."""

    def __init__(self, app: ASGIApp, requests: list[dict[str, Any]]) -> None:
        self._app, self._requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        parts: list[bytes] = []
        found = _head(scope)
        self._requests.append(found)

        async def heard() -> Message:
            message = await receive()
            parts.append(message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            _note(found, message)
            await send(message)

        await self._app(scope, heard, sent)
        if any(parts):
            found["body"] = b"".join(parts).decode("latin-1")


def _note(found: dict[str, Any], message: Message) -> None:
    """Keeps the status of an answer, and the last state that a web socket sends."""
    kind = message["type"]
    if kind == "http.response.start":
        found["status"] = message["status"]
    elif kind == "websocket.accept":
        found["status"] = 101
    elif kind == "websocket.close":
        found.setdefault("status", 403)
    elif kind == "websocket.send":
        found["state"] = json.loads(message["text"])["task"]["task_status"]


def _head(scope: Scope) -> dict[str, Any]:
    query = scope["query_string"].decode()
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    return {
        "method": scope.get("method", "WEBSOCKET"),
        "path": scope["path"] + (f"?{query}" if query else ""),
        "headers": {
            name: MACHINE.sub("(Linux)", value)
            for name, value in headers.items()
            if name not in OWN_HEADERS + MACHINE_HEADERS and not name.startswith(SOCKET_HEADERS)
        },
    }


def record(client: str, python: str, package: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        photo, document = Path(folder) / "photo.png", Path(folder) / "file.pdf"
        photo.write_bytes(png(["printed words"]))
        document.write_bytes(pdf([["first page"], ["second page"]]))
        settings = settings_with(Path(folder) / "runs", api_keys=(KEY,))
        app = create_app(settings, create_engine=lambda name, config: FakeEngine())
        requests: list[dict[str, Any]] = []
        app.add_middleware(Recorder, requests=requests)
        with listening(app, settings.server) as port:
            script = CLIENTS / f"{client}_client.py"
            command = [python, script, f"http://127.0.0.1:{port}", KEY, photo, document]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    version = json.loads(done.stdout)["version"]
    kept = [each for each in requests if len(each.get("body", "")) <= MAX_BODY]
    recorded = {"client": f"{package} {version}", "requests": kept}
    text = json.dumps(recorded, indent=1).replace(f"127.0.0.1:{port}", "127.0.0.1:8000")
    (RECORDED / f"{package}.json").write_text(text + "\n")


if __name__ == "__main__":
    record(*sys.argv[1:])
