"""How far the start of a process is: sent by the process, kept by its supervisor."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

MIN_SECONDS = 0.2
"""Between two reports of one stage."""


@dataclass(frozen=True, slots=True)
class StartProgress:
    """One stage of a start and how much of it is done."""

    stage: str
    """For people, such as `loading weights`."""
    done: int = 0
    total: int = 0
    """0 where the stage is not counted."""
    unit: str = ""
    """Of both numbers; empty for a count."""

    @property
    def text(self) -> str:
        """Such as `compiling kernels 31/52`."""
        if not self.total:
            return self.stage
        return f"{self.stage} {self.done}/{self.total} {self.unit}".rstrip()


class ProgressReporter:
    """In the process: sends `progress` frames, those of one stage not too often. For one thread."""

    def __init__(
        self,
        send: Callable[[Mapping[str, Any]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._clock = send, clock
        self._stage, self._sent_at = "", 0.0

    def report(self, stage: str, done: int = 0, total: int = 0, unit: str = "") -> None:
        now = self._clock()
        is_due = stage != self._stage or now - self._sent_at >= MIN_SECONDS or done == total
        if is_due:
            self._stage, self._sent_at = stage, now
            progress = StartProgress(stage, done, total, unit)
            self._send({"kind": "progress", **asdict(progress)})


def progress_of(header: Mapping[str, Any]) -> StartProgress:
    """Of a `progress` frame."""
    return StartProgress(**{name: value for name, value in header.items() if name != "kind"})
