"""A client that hangs up frees its place, whichever contract it speaks."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.fakes import FakeEngine, pdf
from tests.served import served as listening
from tests.server.conftest import Serve, Served, settings_with
from tests.waiting import wait_until

HANGING = pdf([["@hang"]])
LONG = pdf([["@hang"], ["two"], ["three"]])
MULTIPART = "multipart/form-data; boundary=b"
Body = Callable[[bytes], tuple[str, bytes]]
"""Of a request with a document: its type and its bytes."""


def raw(document: bytes) -> tuple[str, bytes]:
    return "application/pdf", document


def form(field: str, document: bytes) -> tuple[str, bytes]:
    head = f'--b\r\nContent-Disposition: form-data; name="{field}"; filename="a.pdf"\r\n\r\n'
    return MULTIPART, head.encode() + document + b"\r\n--b--\r\n"


def as_json(wrap: Callable[[str], Any], document: bytes) -> tuple[str, bytes]:
    data = base64.b64encode(document).decode()
    return "application/json", json.dumps(wrap(data)).encode()


def message(part: Any) -> list[Any]:
    return [{"role": "user", "content": [part]}]


def chat(data: str, **more: Any) -> Any:
    return {"messages": message({"type": "file", "file": {"file_data": data}}), **more}


def response(data: str) -> Any:
    return {"input": message({"type": "input_file", "file_data": data})}


def mistral(data: str) -> Any:
    url = f"data:application/pdf;base64,{data}"
    return {"document": {"type": "document_url", "document_url": url}}


REQUESTS: tuple[tuple[str, str, Body], ...] = (
    ("PUT", "/tika", raw),
    ("PUT", "/process", raw),
    ("POST", "/v1/convert/file", partial(form, "files")),
    ("POST", "/file_parse", partial(form, "files")),
    ("POST", "/ocr", partial(form, "file")),
    ("POST", "/marker/upload", partial(form, "file")),
    ("POST", "/layout-parsing", partial(as_json, lambda data: {"file": data})),
    ("POST", "/v1/ocr", partial(as_json, mistral)),
    ("POST", "/v1/chat/completions", partial(as_json, chat)),
    ("POST", "/v1/chat/completions", partial(as_json, partial(chat, stream=True))),
    ("POST", "/v1/responses", partial(as_json, response)),
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that reads documents of more than two pages as jobs."""
    settings = settings_with(tmp_path_factory.mktemp("runs"), max_pages=2)
    engine = FakeEngine()
    with listening(settings, engine) as port:
        yield Served(port, engine, settings.runs_dir)


def request(method: str, path: str, kind: str, body: bytes) -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: {kind}\r\n\r\n"
    )
    return head.encode() + body


def received(connection: socket.socket) -> bytes:
    """All until the service closes the connection."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def state(served: Served) -> tuple[int, int]:
    """The admitted requests, and the unfinished jobs."""
    with served.connect() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        data = received(connection)
    queue = json.loads(data.split(b"\r\n\r\n", 1)[1])["queue"]
    return queue["running"] + queue["waiting"], queue["jobs"]


@pytest.mark.parametrize(
    ("method", "path", "body"), REQUESTS, ids=[path for _, path, _ in REQUESTS]
)
def test_hanging_up_ends_the_reading(small: Served, method: str, path: str, body: Body) -> None:
    for document in (HANGING, LONG):
        with small.connect() as connection:
            connection.sendall(request(method, path, *body(document)))
            wait_until(lambda: small.engine.running > 0)
        wait_until(lambda: small.engine.running == 0)
        wait_until(lambda: state(small) == (0, 0))
        wait_until(lambda: not small.files())


def test_open_web_socket_counts_as_a_connection(serve: Serve) -> None:
    later = request("POST", "/v1/convert/file/async", *form("files", HANGING))
    with serve(max_connections=1) as served:
        with served.connect() as connection:
            connection.sendall(later.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            task = json.loads(received(connection).split(b"\r\n\r\n", 1)[1])["task_id"]
        with connect(f"ws://127.0.0.1:{served.port}/v1/status/ws/{task}") as states:
            assert json.loads(states.recv())["message"] == "connection"
            with served.connect() as another:
                assert received(another).startswith(b"HTTP/1.1 503 ")

        def is_free() -> bool:
            try:
                return state(served)[1] == 1
            except (KeyError, OSError):
                return False

        wait_until(is_free)
