"""Files of jobs in a local folder, a folder a job. Names on the disk are numbers."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from dsocr.errors import DiskFull
from dsocr.jobs.files.storage import ORPHAN_SECONDS, NoObjectStorage
from dsocr.pages.page_images import PictureKey


class LocalStorage:
    """The processes that share the folder have the same files."""

    orphans_every_seconds = 0.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def store(self, job_id: str, paths: Sequence[Path]) -> None:
        with raising_disk_full():
            folder = self._folder / job_id
            folder.mkdir(mode=0o700)
            for number, path in enumerate(paths):
                _sync(path)
                path.rename(folder / str(number))
            _sync(folder)
            _sync(self._folder)

    def path(self, job_id: str, number: int) -> Path:
        return self._folder / job_id / str(number)

    def touch(self, job_id: str, number: int) -> None:
        """Nothing: the file is no copy."""

    def delete(self, job_id: str) -> None:
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def old_jobs(self, workers: Collection[str], now: Callable[[], float]) -> list[str]:
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # a job was deleted meanwhile
                    if now() - entry.stat().st_mtime > ORPHAN_SECONDS:
                        found.append(entry.name)
        return found

    def trim(self) -> None:
        """Nothing: there are no copies."""

    def picture(self, key: PictureKey) -> bytes | None:
        """None: a page is rendered from its file as fast as it is read from another one."""
        return None

    def store_picture(self, key: PictureKey, content: bytes) -> None:
        """Nothing."""

    def link(self, job_id: str, path: Path, name: str, media_type: str, seconds: int) -> str:
        raise NoObjectStorage()


@contextlib.contextmanager
def raising_disk_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull() from error
        raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
