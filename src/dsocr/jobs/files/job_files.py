"""The files of jobs: durable before a job is accepted, deleted with it.

File names in a storage are numbers; the client's name of a file is only shown.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from dsocr.errors import DiskFull
from dsocr.jobs.files.cloud import CloudStorage
from dsocr.jobs.files.copies import LocalCopies
from dsocr.jobs.files.local import LocalStorage, raising_disk_full
from dsocr.jobs.files.storage import FileStorage
from dsocr.pages.page_images import PictureKey

MIB = 1 << 20


class JobFiles:
    """`incoming/` of the folder has uploads in progress, a folder a process. Accepted files are in
    the storage: `files/` of the folder, with a folder a job, or a URL."""

    def __init__(
        self, folder: Path, process: str, *, quota_mb: float, min_free_mb: float, url: str = ""
    ) -> None:
        """Raises `UnsupportedStorage`."""
        self._all_incoming = folder / "incoming"
        self.incoming = self._all_incoming / process
        self._quota = int(quota_mb * MIB)
        self._min_free = int(min_free_mb * MIB)
        self._storage: FileStorage = (
            CloudStorage(url, LocalCopies(folder / "copies"), process)
            if url
            else LocalStorage(folder / "files")
        )

    def open(self) -> None:
        self._storage.open()
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
        if shutil.disk_usage(self._all_incoming).free < num_bytes + self._min_free:
            raise DiskFull()

    def store(self, job_id: str, paths: Sequence[Path]) -> None:
        """Moves uploads into the storage; when it returns, they survive a power cut. Raises
        `DiskFull` and `StoreUnavailable`."""
        self._storage.store(job_id, paths)

    def path(self, job_id: str, number: int) -> Path:
        """The file on this host. May fetch it: call this in a thread. Raises `StoreUnavailable`,
        `DiskFull`, and `BadRequest` for a file that is not stored."""
        return self._storage.path(job_id, number)

    def touch(self, job_id: str, number: int) -> None:
        """The file that `path` gave is still in use."""
        self._storage.touch(job_id, number)

    def delete(self, job_id: str) -> None:
        self._storage.delete(job_id)

    @property
    def orphans_every_seconds(self) -> float:
        """How often to look for files without a job."""
        return self._storage.orphans_every_seconds

    def old_folders(
        self, now: Callable[[], float] = time.time, *, workers: Collection[str] = ()
    ) -> list[str]:
        """Jobs whose files are old enough to be orphans, if no job has that id. Without what one of
        these workers, which are alive, may be storing."""
        return self._storage.old_jobs(workers, now)

    def delete_abandoned(self, is_alive: Callable[[str], bool]) -> None:
        """Deletes the incoming folders of dead processes of this host, and unused copies."""
        with os.scandir(self._all_incoming) as entries:
            found = list(entries)
        for entry in found:
            if not is_alive(entry.name):
                shutil.rmtree(entry.path, ignore_errors=True)
        self._storage.trim()

    async def get(self, key: PictureKey) -> bytes | None:
        """A stored picture of a page (`pages.page_images.PictureStore`)."""
        return await asyncio.to_thread(self._storage.picture, key)

    async def put(self, key: PictureKey, content: bytes) -> None:
        await asyncio.to_thread(self._storage.store_picture, key, content)

    def link(
        self,
        job_id: str,
        write: Callable[[BinaryIO], None],
        name: str,
        media_type: str,
        seconds: int,
    ) -> str:
        """A URL to what `write` writes, which expires. Raises `NoObjectStorage`, `DiskFull`,
        `StoreUnavailable` and what `write` raises."""
        with raising_disk_full(), tempfile.NamedTemporaryFile(dir=self.incoming) as file:
            write(cast(BinaryIO, file))
            file.flush()
            return self._storage.link(job_id, Path(file.name), name, media_type, seconds)
