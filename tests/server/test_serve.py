"""The service as a process: how it starts, what it warns of, how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from uvicorn.lifespan.off import LifespanOff
from uvicorn.server import ServerState

from dsocr.config import ServerConfig, Settings
from dsocr.errors import CannotListen
from dsocr.server import serve
from tests.fakes import pdf
from tests.processes import is_alive, reserved_port
from tests.waiting import DEADLINE_SECONDS, wait_until

posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


class Process(NamedTuple):
    popen: subprocess.Popen[bytes]
    port: int

    def get(self, path: str) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
            return json.load(answer)

    def ocr(self, words: str) -> Any:
        """The open answer to a page that says these words."""
        head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.pdf"\r\n\r\n'
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/ocr",
            data=head + pdf([[words]]) + b"\r\n--b--\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        )
        return urllib.request.urlopen(request, timeout=DEADLINE_SECONDS)

    def reads(self) -> bool:
        try:
            return bool(self.get("/ready"))
        except OSError:
            assert self.popen.poll() is None, "it ended by itself"
            return False

    def children(self) -> list[str]:
        found = subprocess.run(
            ["pgrep", "-P", str(self.popen.pid)], capture_output=True, text=True, check=False
        )
        return found.stdout.split()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    reservation = reserved_port()
    port = reservation.getsockname()[1]
    environment = {
        **os.environ,
        "DEEPSEEK_OCR_ENGINE": "ppocr",
        "DEEPSEEK_OCR_RUNS_DIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "dsocr", "serve", "--port", str(port)]
    popen = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    started = Process(popen, port)
    try:
        wait_until(started.reads)
        yield started
    finally:
        popen.kill()
        popen.wait()
        reservation.close()


@posix_only
def test_a_terminated_service_finishes_running_requests_and_leaves_no_files(
    process: Process, tmp_path: Path
) -> None:
    answers: list[Any] = []

    def ask() -> None:
        with process.ocr("Before the end") as answer:
            answers.append((answer.status, dict(answer.headers), json.load(answer)))

    (engine,) = process.children()
    os.kill(int(engine), signal.SIGSTOP)  # so that the answer is still pending
    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: process.get("/health")["queue"]["running"] == 1)
    children = process.children()
    process.popen.send_signal(signal.SIGTERM)
    os.kill(int(engine), signal.SIGCONT)
    asking.join()

    ((status, headers, answer),) = answers
    assert status == 200 and "Before the end" in answer["text"]
    assert "server" not in {name.lower() for name in headers}
    assert process.popen.wait(timeout=DEADLINE_SECONDS) == 0
    assert children
    wait_until(lambda: not any(is_alive(int(pid)) for pid in children))
    assert [path.name for path in tmp_path.iterdir()] == ["jobs"]
    assert list((tmp_path / "jobs" / "incoming").iterdir()) == []


@posix_only
def test_any_killed_child_process_is_replaced(process: Process) -> None:
    killed = 0
    for child in range(3):
        with process.ocr("Some words") as answer:  # has all kinds of children started
            assert "Some words" in json.load(answer)["text"]
        if child < len(process.children()):
            os.kill(int(process.children()[child]), signal.SIGKILL)
            killed += 1
    assert killed >= 2, "one decodes and one reads at least"
    with process.ocr("Other words") as answer:
        assert "Other words" in json.load(answer)["text"]


class Late:
    """A connection that is accepted after the listener was closed."""

    def __init__(self, connections: set[Any]) -> None:
        self.connections = connections

    def accepted(self) -> None:
        self.connections.add(self)

    def shutdown(self) -> None:
        self.connections.remove(self)


async def test_a_connection_accepted_while_the_service_stops_is_closed() -> None:
    config = uvicorn.Config(FastAPI(), timeout_graceful_shutdown=int(DEADLINE_SECONDS))
    server = serve._Server(config)
    server.servers, server.lifespan = [], LifespanOff(config)
    connections: set[Any] = server.server_state.connections
    asyncio.get_running_loop().call_soon(Late(connections).accepted)
    await server.shutdown()
    assert not connections


class NeverRuns:
    def __init__(self, config: Any) -> None:
        self.config = config

    def run(self, sockets: list[socket.socket]) -> None:
        for opened in sockets:
            opened.close()


@pytest.mark.parametrize(
    ("host", "keys", "warns"),
    [
        ("127.0.0.1", (), False),
        ("localhost", (), False),
        ("::1", (), False),
        ("0.0.0.0", (), True),
        ("0.0.0.0", ("key",), False),
    ],
)
def test_listening_on_all_interfaces_without_a_key_is_logged_as_a_warning(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    host: str,
    keys: tuple[str, ...],
    warns: bool,
) -> None:
    monkeypatch.setattr(serve, "_Server", NeverRuns)
    with caplog.at_level(logging.WARNING):
        serve.run(Settings(server=ServerConfig(api_keys=keys)), host, 0)

    assert ("without a key" in caplog.text) == warns


def test_a_port_in_use_is_reported_before_anything_is_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"{port}.*already"):
            serve.run(Settings(), "127.0.0.1", port)


def test_importing_the_service_loads_no_library_of_exports_and_images() -> None:
    heavy = {"nh3", "markdown_it", "latex2mathml", "lxml", "numpy", "PIL"}
    code = "import sys, dsocr.server.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert heavy.isdisjoint(loaded.stdout.split())
    assert "dsocr.server.app" in loaded.stdout


async def unused(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that gets no request."""


class HalfRequest(asyncio.Transport):
    """A connection whose client sends no more."""

    aborted = False

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self.aborted


@pytest.mark.parametrize(
    ("received", "counted"), [(b"", 0), (b"GET /live HTTP/1.1\r\nHost: te", 1)]
)
async def test_a_head_that_is_not_complete_in_time_is_counted(
    received: bytes, counted: int
) -> None:
    timeouts: list[None] = []
    config = uvicorn.Config(unused, log_config=None)
    config.load()
    protocol: Any = serve.protocol_class(ServerConfig(), lambda: 1, lambda: timeouts.append(None))(
        config=config, server_state=ServerState(), app_state={}
    )
    connection = HalfRequest()
    protocol.connection_made(connection)
    if received:
        protocol.data_received(received)
    protocol._abort()  # called by a timer
    protocol.connection_lost(None)
    assert connection.aborted and len(timeouts) == counted
