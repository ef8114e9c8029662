"""A service with the fake engine: in this process, or behind a real socket."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.testclient import TestClient

from dsocr.config import ServerConfig, Settings
from dsocr.engines.base import Engine
from dsocr.server.app import create_app
from tests.fakes import FakeEngine
from tests.served import served
from tests.waiting import DEADLINE_SECONDS

Client = Callable[..., AbstractContextManager[TestClient]]


def settings_with(runs_dir: Path, **server: Any) -> Settings:
    return Settings(engine="ppocr", runs_dir=runs_dir, server=ServerConfig(**server))


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """`with client(max_pages=2) as http:` is a running service with these server settings."""

    @contextlib.contextmanager
    def running(engine: Engine | None = None, **server: Any) -> Iterator[TestClient]:
        app = create_app(
            settings_with(tmp_path / "runs", **server),
            create_engine=lambda name, config: engine or FakeEngine(),
        )
        with TestClient(app, raise_server_exceptions=False) as http:
            yield http

    return running


class Served(NamedTuple):
    """A service behind a socket, and the engine in it."""

    port: int
    engine: FakeEngine
    runs_dir: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_SECONDS)

    def files(self) -> list[Path]:
        """The files in the runs folder except the job store."""
        found: list[Path] = []
        # os.walk skips folders that the server removes meanwhile; rglob raises
        for folder, names, files in os.walk(self.runs_dir):
            here = Path(folder)
            if here == self.runs_dir and "jobs" in names:
                names.remove("jobs")
            found += [here / name for name in (*names, *files)]
        return found


Serve = Callable[..., AbstractContextManager[Served]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """`with serve(header_seconds=1) as served:` listens on a free port of this machine."""

    monkeypatch.setattr("dsocr.server.middleware.body_limit.DRAIN_SECONDS", 0.2)

    @contextlib.contextmanager
    def listening(engine: FakeEngine | None = None, **server: Any) -> Iterator[Served]:
        settings = settings_with(tmp_path / "runs", **server)
        fake = engine or FakeEngine()
        with served(settings, fake) as port:
            yield Served(port, fake, settings.runs_dir)

    return listening
