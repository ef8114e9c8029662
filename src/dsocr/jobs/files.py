"""The files of jobs on the disk: kept for good before a job is accepted, gone when it goes.

Every name here is ours: what a client called its file is only a word for people.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dsocr.errors import DiskFull

STRAY_SECONDS = 3600
"""Files that belong to no job are somebody's who was about to be accepted, but not for so long."""
MIB = 1 << 20


class JobFiles:
    """`incoming/` has what is being uploaded, by process; `files/` what belongs to jobs."""

    def __init__(self, folder: Path, process: str, *, quota_mb: float, min_free_mb: float) -> None:
        self._folder = folder / "files"
        self._arriving = folder / "incoming"
        self.incoming = self._arriving / process
        self._quota = int(quota_mb * MIB)
        self._min_free = int(min_free_mb * MIB)

    def open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.incoming.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        shutil.rmtree(self.incoming, ignore_errors=True)

    def check_room(self, num_bytes: int, taken: int) -> None:
        """Raises `DiskFull` while there still is room for what runs already."""
        if self._quota and taken + num_bytes > self._quota:
            raise DiskFull(f"The files of jobs may take {self._quota // MIB} MiB, and do.")
        if shutil.disk_usage(self._folder).free < num_bytes + self._min_free:
            raise DiskFull()

    def keep(self, job_id: str, paths: Sequence[Path]) -> None:
        """Moves uploads to their job; when it returns, they outlive a power cut."""
        with _telling_of_full_disks():
            place = self._folder / job_id
            place.mkdir(mode=0o700)
            for number, path in enumerate(paths):
                _sync(path)
                path.rename(place / str(number))
            _sync(place)
            _sync(self._folder)

    def path(self, job_id: str, number: int) -> Path:
        return self._folder / job_id / str(number)

    def drop(self, job_id: str) -> None:
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def strays(self, now: Callable[[], float] = time.time) -> list[str]:
        """Ids of files that have been here long enough to belong to a job."""
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # a job was deleted meanwhile
                    if now() - entry.stat().st_mtime > STRAY_SECONDS:
                        found.append(entry.name)
        return found

    def drop_abandoned(self, alive: Callable[[str], bool]) -> None:
        """What a process was receiving when it died."""
        with os.scandir(self._arriving) as entries:
            found = list(entries)
        for entry in found:
            if not alive(entry.name):
                shutil.rmtree(entry.path, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _telling_of_full_disks() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull() from error
        raise
