"""Stores in both databases, and servers that can be killed, stopped and restarted on one."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from dsocr.jobs.store.database import Database
from tests.fakes import pdf
from tests.jobs.forks import Fork
from tests.processes import reserved_port
from tests.waiting import DEADLINE_SECONDS, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store_place(database_url: str, tmp_path: Path) -> Path | str:
    """An empty place for a store: a file, or the URL of a database."""
    return database_url or tmp_path / "commands.sqlite3"


@pytest.fixture
async def database(store_place: Path | str) -> AsyncIterator[Database]:
    """An open store of each kind."""
    database = Database(store_place)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """An open store in SQLite, for what is specific to it."""
    database = Database(tmp_path / "commands.sqlite3")
    await database.open()
    yield database
    await database.close()


def numbered(count: int, *commands: str) -> bytes:
    """A PDF whose pages say p0, p1, ..."""
    return pdf([[f"p{number}", *commands] for number in range(count)])


class Server:
    """One process of the service. A forked one starts sooner; its own memory cannot be told."""

    def __init__(
        self,
        runs_dir: Path,
        *,
        seconds: float = 0.0,
        database_url: str = "",
        forked: bool = True,
        **settings: Any,
    ) -> None:
        self.runs_dir = runs_dir
        self.store: Path | str = database_url or runs_dir / "jobs" / "jobs.sqlite3"
        if database_url:
            settings["jobs"] = {"database_url": database_url, **settings.get("jobs", {})}
        self.log = runs_dir.with_suffix(".log")
        self._reservation = reserved_port()
        self.port: int = self._reservation.getsockname()[1]
        self._forked = forked
        self._arguments = [str(runs_dir), str(self.port), str(seconds), json.dumps(settings)]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=DEADLINE_SECONDS)
        self.process: subprocess.Popen[bytes] | Fork | None = None

    def start(self) -> Server:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = Fork(self._arguments, self.log) if self._forked else self._spawned()
        self.until(self._ready)
        return self

    def _spawned(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.jobs.serve", *self._arguments]
        with self.log.open("ab") as log:  # a full pipe would block the server
            return subprocess.Popen(command, cwd=ROOT, stderr=log)

    def kill(self) -> None:
        """SIGKILL, as the kernel sends when memory is short."""
        self.end(signal.SIGKILL)

    def end(self, sig: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(sig)
        self.process.send_signal(signal.SIGCONT)
        status = self.process.wait(timeout=DEADLINE_SECONDS)
        self.http.close()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=DEADLINE_SECONDS)
        self.process = None
        return status

    def close(self) -> None:
        if self.process is not None:
            self.kill()
        self.http.close()
        self._reservation.close()

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

    def until_over(self, job_id: str, *, seconds: float = 2 * DEADLINE_SECONDS) -> dict[str, Any]:
        self.until(lambda: self.job(job_id)["finishedAt"] is not None, seconds=seconds)
        return self.job(job_id)

    def texts(self, job_id: str) -> list[str]:
        exported = self.http.get(f"/api/jobs/{job_id}/export", params={"format": "json"}).json()
        return [page["text"] for page in exported["pages"]]

    def download(self, job_id: str, format: str) -> Iterator[bytes]:
        """An export in chunks."""
        url = f"/api/jobs/{job_id}/export"
        with self.http.stream("GET", url, params={"format": format}, timeout=600) as answer:
            assert answer.status_code == 200, answer.read()
            yield from answer.iter_bytes(1 << 20)

    def until(self, condition: Callable[[], object], *, seconds: float = DEADLINE_SECONDS) -> None:
        def happened() -> bool:
            if condition():
                return True
            ended = self.process is not None and self.process.poll() is not None
            assert not ended, self.log.read_text()
            return False

        wait_until(happened, seconds=seconds)

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.http.get("/ready").status_code == 200
        return False


NewServer = Callable[..., Server]


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[NewServer]:
    """`new_server(seconds=0.02)` starts a process on the store of this test."""
    with started_servers(tmp_path / "runs") as make:
        yield make


@pytest.fixture
def new_server_on_each(tmp_path: Path, database_url: str) -> Iterator[NewServer]:
    """`new_server` with a store in each database."""
    with started_servers(tmp_path / "runs", database_url=database_url) as make:
        yield make


@contextlib.contextmanager
def started_servers(runs_dir: Path, **always: Any) -> Iterator[NewServer]:
    servers: list[Server] = []

    def make(**settings: Any) -> Server:
        servers.append(Server(runs_dir, **always, **settings))
        return servers[-1].start()

    try:
        yield make
    finally:
        for server in servers:
            server.close()


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
