"""Copies on this host of files in object storage: a page is rendered from a local file."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from dsocr.jobs.files.local import raising_disk_full

UNUSED_SECONDS = 3600
"""A copy that has not been used for so long is deleted."""


class _Fetching:
    """Held while one thread fetches a file that others wait for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class LocalCopies:
    """Each copy is complete when it appears, and is never replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._fetching: WeakValueDictionary[Path, _Fetching] = WeakValueDictionary()

    def open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, job_id: str, number: int, fetch: Callable[[Path], None]) -> Path:
        """The copy; `fetch` writes it to a path if there is none. Raises `DiskFull` and what
        `fetch` raises."""
        path = self._path(job_id, number)
        with self._lock:
            fetching = self._fetching.setdefault(path, _Fetching())
        with fetching.lock, raising_disk_full():
            if not self._touch(path):
                self._add(path, fetch)
        return path

    def adopt(self, job_id: str, number: int, file: Path) -> None:
        """Makes a file of this host the copy."""
        path = self._path(job_id, number)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        file.rename(path)

    def touch(self, job_id: str, number: int) -> None:
        self._touch(self._path(job_id, number))

    def delete(self, job_id: str) -> None:
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def trim(self, now: Callable[[], float] = time.time) -> None:
        for folder in self._folder.iterdir():
            with contextlib.suppress(OSError):  # another process deletes it too, or fills it
                for path in folder.iterdir():
                    if now() - path.stat().st_atime > UNUSED_SECONDS:
                        path.unlink()
                folder.rmdir()

    def _path(self, job_id: str, number: int) -> Path:
        return self._folder / job_id / str(number)

    def _touch(self, path: Path) -> bool:
        """Whether there is a copy. Only its time of access changes: a file whose time of change is
        another one counts as changed."""
        try:
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        except FileNotFoundError:
            return False
        return True

    def _add(self, path: Path, fetch: Callable[[Path], None]) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            fetch(part)
            with contextlib.suppress(FileExistsError):  # of another process with this folder
                os.link(part, path)
        finally:
            part.unlink(missing_ok=True)
