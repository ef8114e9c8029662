"""Who else is at work on the same store, and whether they still are.

Never by the clock of another process: one that died has let go of its lock, one that froze stops
beating, which each observer times by its own clock.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path


class WorkerRegistry:
    """A file that this process holds a lock on while it lives, and a look at those of others."""

    def __init__(self, folder: Path) -> None:
        self.id = uuid.uuid4().hex
        self._folder = folder
        self._held = -1

    def enter(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        unlocked = self._folder / f"{self.id}.new"
        self._held = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlocked.rename(self._folder / self.id)  # nobody ever sees it unlocked while we live

    def leave(self) -> None:
        (self._folder / self.id).unlink(missing_ok=True)
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    def alive(self, process: str) -> bool:
        """Whether a process on this machine has that id."""
        if process == self.id:
            return True
        try:
            handle = os.open(self._folder / process, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def forget(self, process: str) -> None:
        """Its traces may go: nothing is left that it held."""
        (self._folder / process).unlink(missing_ok=True)

    def dead(self) -> set[str]:
        """All that died here and were not forgotten."""
        names = [path.name for path in self._folder.iterdir() if not path.suffix]
        return {name for name in names if not self.alive(name)}


class HeartbeatMonitor:
    """Tells which processes have not beaten for so long."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: dict[str, tuple[int | None, float]] = {}

    def silent(self, beats: Mapping[str, int | None]) -> set[str]:
        now = self._clock()
        self._seen = {
            process: self._seen[process]
            if process in self._seen and self._seen[process][0] == count
            else (count, now)
            for process, count in beats.items()
        }
        return {
            process for process, (_, since) in self._seen.items() if now - since >= self._seconds
        }
