"""Servers that can be killed, stopped and restarted on the same store."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.fakes import pdf

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def numbered(count: int, *commands: str) -> bytes:
    """A PDF whose pages say p0, p1, ..."""
    return pdf([[f"p{number}", *commands] for number in range(count)])


class Server:
    """One process of the service."""

    def __init__(
        self, runs_dir: Path, *, seconds: float = 0.0, port: int = 0, **settings: Any
    ) -> None:
        self.runs_dir = runs_dir
        self.port = port or free_port()
        self._command = [
            *(sys.executable, "-m", "tests.jobs.serve"),
            *(str(runs_dir), str(self.port), str(seconds), json.dumps(settings)),
        ]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        self.process = subprocess.Popen(self._command, cwd=ROOT, stderr=subprocess.PIPE)
        self.until(self._ready)
        return self

    def kill(self) -> None:
        """SIGKILL, as the kernel sends when memory is short."""
        self.end(signal.SIGKILL)

    def end(self, sig: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(sig)
        self.process.send_signal(signal.SIGCONT)
        _, self.log = self.process.communicate(timeout=40)
        self.http.close()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        status, self.process = self.process.returncode, None
        return status

    def submit(self, content: bytes, *, name: str = "a.pdf", **more: Any) -> dict[str, Any]:
        answer = self.http.post("/api/jobs", files={"file": (name, content)}, **more)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def until_over(self, job_id: str, *, seconds: float = 60) -> dict[str, Any]:
        self.until(lambda: self.job(job_id)["finishedAt"] is not None, seconds=seconds)
        return self.job(job_id)

    def texts(self, job_id: str) -> list[str]:
        exported = self.http.get(f"/api/jobs/{job_id}/export", params={"format": "json"}).json()
        return [page["text"] for page in exported["pages"]]

    def download(self, job_id: str, format: str) -> Iterator[bytes]:
        """An export in chunks."""
        url = f"/api/jobs/{job_id}/export"
        with self.http.stream("GET", url, params={"format": format}, timeout=600) as answer:
            assert answer.status_code == 200
            yield from answer.iter_bytes(1 << 20)

    def until(self, condition: Callable[[], bool], *, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            assert self.process is None or self.process.poll() is None, self.process.stderr
            time.sleep(0.02)

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.http.get("/ready").status_code == 200
        return False


NewServer = Callable[..., Server]


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[NewServer]:
    """`new_server(seconds=0.02)` starts a process on the store of this test."""
    servers: list[Server] = []

    def make(**settings: Any) -> Server:
        servers.append(Server(tmp_path / "runs", **settings))
        return servers[-1].start()

    yield make
    for server in servers:
        if server.process is not None:
            server.kill()
        server.http.close()


def children(pid: int) -> list[int]:
    """Processes below this one, however deep."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid:
                    found += [int(folder.name), *children(int(folder.name))]
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"
