"""The workers at one store, and which of them are lost.

Nothing depends on the clock of another process: a worker that died has released the lock on its
file; one that froze sends no heartbeats, and each observer measures that by its own clock.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path


class WorkerRegistry:
    """A folder with a file a worker; each worker holds a lock on its own file while it lives."""

    def __init__(self, folder: Path) -> None:
        self.id = uuid.uuid4().hex
        self._folder = folder
        self._file = -1

    def register(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        unlocked = self._folder / f"{self.id}.new"
        self._file = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlocked.rename(self._folder / self.id)  # under this name it is locked from the start

    def unregister(self) -> None:
        (self._folder / self.id).unlink(missing_ok=True)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def is_alive(self, worker: str) -> bool:
        """Whether a process on this machine is registered under that id."""
        if worker == self.id:
            return True
        try:
            handle = os.open(self._folder / worker, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def forget(self, worker: str) -> None:
        """Deletes the file of a dead worker that holds no job any more."""
        (self._folder / worker).unlink(missing_ok=True)

    def dead(self) -> set[str]:
        """The workers that died on this machine and are not forgotten."""
        names = [path.name for path in self._folder.iterdir() if not path.suffix]
        return {name for name in names if not self.is_alive(name)}


class HeartbeatMonitor:
    """Finds workers without a new heartbeat for `seconds`."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: dict[str, tuple[int | None, float]] = {}
        """Of each worker: its number of heartbeats, and when that number was first seen."""

    def restart(self) -> None:
        """Counts the time of each worker from its next heartbeats on."""
        self._seen.clear()

    def expired(self, heartbeats: Mapping[str, int | None]) -> set[str]:
        """The workers whose number of heartbeats has not changed for too long."""
        now = self._clock()
        self._seen = {
            worker: self._seen[worker]
            if worker in self._seen and self._seen[worker][0] == count
            else (count, now)
            for worker, count in heartbeats.items()
        }
        return {worker for worker, (_, since) in self._seen.items() if now - since >= self._seconds}
