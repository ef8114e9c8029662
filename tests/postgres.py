"""A PostgreSQL server for tests: in a temporary folder, on a socket, of an unprivileged user."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import DEADLINE_SECONDS, wait_until

NAME = "dsocr"


class PostgresServer:
    """A running server. It outlives a power cut only if it is durable, which no test needs."""

    def __init__(self, folder: Path, programs: Path, *, durable: bool = False) -> None:
        self._durable = durable
        self._folder = folder
        self._programs = programs
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        options = ("--username", NAME, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        command = [str(self._programs / "initdb"), "-D", str(self._data), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **_unprivileged())

    def start(self) -> None:
        settings = ["listen_addresses=", "max_connections=200"]
        if not self._durable:
            settings += ["fsync=off", "full_page_writes=off"]
        options = [part for setting in settings for part in ("-c", setting)]
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *options], stderr=log, **_unprivileged())
        wait_until(self._answers)

    def stop(self, sig: signal.Signals = signal.SIGINT) -> None:
        """Ends the sessions of all clients."""
        if self._process is not None:
            self._process.send_signal(sig)
            self._process.wait(DEADLINE_SECONDS)
            self._process = None

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"t{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://{NAME}@/{name}?host={self._folder}"

    def run(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(
            host=str(self._folder), user=NAME, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)

    def _answers(self) -> bool:
        import psycopg

        assert self._process is not None and self._process.poll() is None, self._log()
        with contextlib.suppress(psycopg.OperationalError):
            self.run("SELECT 1")
            return True
        return False

    def _log(self) -> str:
        return (self._folder / "log").read_text()


def find_programs() -> Path | None:
    """The folder of `initdb` and `postgres`: on the path, or where Debian has them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextlib.contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Skips the test where PostgreSQL or its driver is not installed."""
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    programs = find_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL: initdb and postgres on the path or in /usr/lib/postgresql")
    with tempfile.TemporaryDirectory(prefix="dsocr-pg-", ignore_cleanup_errors=True) as name:
        if os.getuid() == 0:
            os.chown(name, _user().pw_uid, _user().pw_gid)
        server = PostgresServer(Path(name), programs, durable=durable)
        server.create()
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)


def _user() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.getuid():
        return {"cwd": "/"}
    return {"cwd": "/", "user": _user().pw_uid, "group": _user().pw_gid, "extra_groups": []}
