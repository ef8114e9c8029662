"""The files of jobs on the disk: durable before a job is accepted, deleted with it.

File names on the disk are numbers; the client's name of a file is only shown.
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

ORPHAN_SECONDS = 3600
"""A folder without a job belongs to one that is about to be accepted, unless it is this old."""
MIB = 1 << 20


class JobFiles:
    """`incoming/` has uploads in progress, a folder a process; `files/` has a folder a job."""

    def __init__(self, folder: Path, process: str, *, quota_mb: float, min_free_mb: float) -> None:
        self._folder = folder / "files"
        self._all_incoming = folder / "incoming"
        self.incoming = self._all_incoming / process
        self._quota = int(quota_mb * MIB)
        self._min_free = int(min_free_mb * MIB)

    def open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.incoming.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        shutil.rmtree(self.incoming, ignore_errors=True)

    def check_capacity(self, num_bytes: int, used: int) -> None:
        """Raises `DiskFull` when this many bytes more exceed the quota or the disk's free space
        less the reserve for accepted jobs."""
        if self._quota and used + num_bytes > self._quota:
            raise DiskFull(
                f"The files of jobs would exceed their quota of {self._quota // MIB} MiB; "
                "delete finished jobs or try again later."
            )
        if shutil.disk_usage(self._folder).free < num_bytes + self._min_free:
            raise DiskFull()

    def store(self, job_id: str, paths: Sequence[Path]) -> None:
        """Moves uploads into the job's folder; when it returns, they survive a power cut."""
        with _raising_disk_full():
            folder = self._folder / job_id
            folder.mkdir(mode=0o700)
            for number, path in enumerate(paths):
                _sync(path)
                path.rename(folder / str(number))
            _sync(folder)
            _sync(self._folder)

    def path(self, job_id: str, number: int) -> Path:
        return self._folder / job_id / str(number)

    def delete(self, job_id: str) -> None:
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def old_folders(self, now: Callable[[], float] = time.time) -> list[str]:
        """Names of the folders that are old enough to be orphans, if no job has that id."""
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # a job was deleted meanwhile
                    if now() - entry.stat().st_mtime > ORPHAN_SECONDS:
                        found.append(entry.name)
        return found

    def delete_abandoned_uploads(self, is_alive: Callable[[str], bool]) -> None:
        """Deletes the incoming folders of dead processes."""
        with os.scandir(self._all_incoming) as entries:
            found = list(entries)
        for entry in found:
            if not is_alive(entry.name):
                shutil.rmtree(entry.path, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _raising_disk_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull() from error
        raise
