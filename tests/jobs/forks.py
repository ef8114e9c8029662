"""Services forked from a process that has imported it: the import takes longer than most tests."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

from tests.jobs import serve

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["dsocr.server.app", "tests.fakes", "tests.jobs.serve"])


class Fork:
    """A running service, with the methods of `Popen` that the tests use."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._process = _context.Process(
            target=_serve, args=(arguments, log, dict(os.environ)), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def send_signal(self, sig: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        status = self.poll()
        assert status is not None, "it has not ended in time"
        return status


def _serve(arguments: list[str], log: Path, environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    serve.main(arguments)
