"""The service as a process of its own, and the environment that `dsocr` is started with."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.error import URLError
from urllib.request import urlopen

from bench.service.engine import TOKENS, TRACE, WORKER
from bench.service.waiting import wait_until

START_SECONDS = 600
STOP_SECONDS = 40
LAUNCH = [sys.executable, "-m", "bench.service.launch"]


@dataclass(frozen=True, slots=True)
class Launch:
    """How `dsocr` is started: all settings are defaults but those of `settings`."""

    folder: Path
    """For the runs folder, the trace and the log."""
    checkpoint: Path
    worker: str
    """`module:function` of the engine's process."""
    tokens: int
    """Of every page."""
    settings: dict[str, str] = field(default_factory=dict)
    """Environment variables."""

    @property
    def trace(self) -> Path:
        return self.folder / "trace.jsonl"

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DEEPSEEK_OCR_ENGINE": "native",
            "DEEPSEEK_OCR_MODEL_PATH": str(self.checkpoint.resolve()),
            "DEEPSEEK_OCR_RUNS_DIR": str(self.folder.resolve() / "runs"),
            TOKENS: str(self.tokens),
            TRACE: str(self.trace),
            WORKER: self.worker,
            **self.settings,
        }


class Server:
    """`dsocr serve`, running while the context is entered."""

    def __init__(self, launch: Launch, *, start_seconds: float = START_SECONDS) -> None:
        self.launch, self._start_seconds = launch, start_seconds
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port: int = sock.getsockname()[1]
        self.log = launch.folder / "server.log"

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Server:
        self.launch.trace.unlink(missing_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*LAUNCH, "serve", "--port", str(self.port)],
                env=self.launch.environment(),
                stderr=log,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self) -> None:
        try:
            wait_until(self._is_ready, self._start_seconds, "the start of the service")
        except (RuntimeError, TimeoutError) as error:
            raise RuntimeError(f"{error}; its log:\n{self.log.read_text()[-3000:]}") from error

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError("the service ended before it was ready")
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, TimeoutError):
            return False
