"""Where the files of jobs are stored: a local folder, or object storage with the extra `cloud`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol

from dsocr.errors import DsocrError
from dsocr.pages.page_images import PictureKey

ORPHAN_SECONDS = 3600
"""Files without a job belong to one that is about to be accepted, unless they are this old."""
CLOUD_SCHEMES = ("s3://", "gs://", "az://")

_CLOUD_URL = re.compile(rf"(?:{'|'.join(CLOUD_SCHEMES)})[^/\s]+(?:/\S*)?")


def is_cloud_url(url: str) -> bool:
    """Whether it has a known scheme and the name of a bucket."""
    return _CLOUD_URL.fullmatch(url) is not None


class NoObjectStorage(DsocrError):
    """Object storage is needed for this: set DEEPSEEK_OCR_STORAGE_URL."""

    code = "bad_request"


class UnsupportedStorage(DsocrError):
    """Files cannot be stored there."""

    code = "bad_setting"


class FileStorage(Protocol):
    """Files by job and number, from 0. All methods block: call them in a thread. Raises `DiskFull`
    and `StoreUnavailable`."""

    orphans_every_seconds: float
    """How often it is worth to look for files without a job."""

    def open(self) -> None:
        """Creates what is missing on this host."""

    def store(self, job_id: str, paths: Sequence[Path]) -> None:
        """Takes the files over; when it returns, they survive a power cut."""

    def path(self, job_id: str, number: int) -> Path:
        """The file on this host, fetched if it is not there. Raises `BadRequest` for a file that
        is not stored."""

    def touch(self, job_id: str, number: int) -> None:
        """The file on this host is in use: its copy stays."""

    def delete(self, job_id: str) -> None:
        """Deletes all that is stored for a job."""

    def old_jobs(self, workers: Collection[str], now: Callable[[], float]) -> list[str]:
        """Jobs whose files are old enough to be orphans, without those that one of these workers
        may be storing."""

    def trim(self) -> None:
        """Deletes copies on this host that have not been used for long."""

    def picture(self, key: PictureKey) -> bytes | None:
        """A stored picture of a page; None if there is none."""

    def store_picture(self, key: PictureKey, content: bytes) -> None:
        """Stores a picture unless there is one. One that cannot be stored is no error."""

    def link(self, job_id: str, path: Path, name: str, media_type: str, seconds: int) -> str:
        """A URL from which anyone gets this file under that name for so many seconds. Raises
        `NoObjectStorage`."""
