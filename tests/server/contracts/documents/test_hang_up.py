"""A client that hangs up frees its place, whichever contract it speaks."""

from __future__ import annotations

import json
import socket

import pytest
from websockets.sync.client import connect

from tests.fakes import pdf
from tests.server.conftest import Serve, Served
from tests.waiting import wait_until

FORM = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="a.pdf"\r\n\r\n%s\r\n--b--\r\n'
HANGING = pdf([["@hang"]])
LONG = pdf([["@hang"], ["two"], ["three"]])


def head(method: str, path: str, length: int) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    ).encode()


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
    ("method", "path", "field"),
    [
        ("PUT", "/tika", b""),
        ("PUT", "/process", b""),
        ("POST", "/v1/convert/file", b"files"),
        ("POST", "/file_parse", b"files"),
        ("POST", "/marker/upload", b"file"),
    ],
)
def test_hanging_up_ends_the_reading(serve: Serve, method: str, path: str, field: bytes) -> None:
    with serve(max_pages=2) as served:
        for document in (HANGING, LONG):
            body = FORM % (field, document) if field else document
            with served.connect() as connection:
                connection.sendall(head(method, path, len(body)) + body)
                wait_until(lambda: served.engine.running > 0)
            wait_until(lambda: served.engine.running == 0)
            wait_until(lambda: state(served) == (0, 0))


def test_open_web_socket_counts_as_a_connection(serve: Serve) -> None:
    body = FORM % (b"files", HANGING)
    request = head("POST", "/v1/convert/file/async", len(body))
    with serve(max_connections=1) as served:
        with served.connect() as connection:
            connection.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + body)
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
