"""Files of jobs in object storage, the same for all hosts. Needs the extra `cloud`.

`files/JOB/NUMBER` is a file, `files/JOB/receiving-WORKER` names the process that has stored them,
`pictures/JOB/` has pictures of pages, `results/JOB/` exports that a link was made for.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from urllib.parse import quote

from dsocr.errors import StoreUnavailable
from dsocr.jobs.files.bucket import Bucket
from dsocr.jobs.files.copies import LocalCopies
from dsocr.jobs.files.storage import ORPHAN_SECONDS
from dsocr.pages.page_images import PictureKey

log = logging.getLogger(__name__)

RECEIVING = "receiving-"
RECEIVING_SECONDS = 24 * 3600
"""A process that is alive may take so long to store the files of a job."""


class CloudStorage:
    """Files below a URL, with copies of those that this host reads."""

    orphans_every_seconds = ORPHAN_SECONDS / 2
    """All objects are listed, and requests cost money."""

    def __init__(self, url: str, copies: LocalCopies, worker: str) -> None:
        """`worker` is the id that this process sends heartbeats under. Raises
        `UnsupportedStorage`."""
        self._bucket = Bucket(url)
        self._copies = copies
        self._worker = worker

    def open(self) -> None:
        self._copies.open()

    def store(self, job_id: str, paths: Sequence[Path]) -> None:
        """Sends large files in parts. The copies of this host are the files themselves."""
        self._bucket.create(f"files/{job_id}/{RECEIVING}{self._worker}", b"")
        for number, path in enumerate(paths):
            self._bucket.put(_key(job_id, number), path)
        for number, path in enumerate(paths):
            self._copies.adopt(job_id, number, path)

    def path(self, job_id: str, number: int) -> Path:
        def fetch(part: Path) -> None:
            self._bucket.fetch(_key(job_id, number), part)

        return self._copies.get(job_id, number, fetch)

    def touch(self, job_id: str, number: int) -> None:
        self._copies.touch(job_id, number)

    def delete(self, job_id: str) -> None:
        self._copies.delete(job_id)
        try:
            for kind in ("files", "pictures", "results"):
                self._bucket.delete_below(f"{kind}/{job_id}")
        except StoreUnavailable as error:
            log.warning("job %s: its files are deleted later: %s", job_id, error.message)

    def old_jobs(self, workers: Collection[str], now: Callable[[], float]) -> list[str]:
        newest: defaultdict[str, float] = defaultdict(float)
        receiving: set[str] = set()
        for key, modified in self._bucket.list("files"):
            _, job_id, name = key.split("/", 2)
            newest[job_id] = max(newest[job_id], modified)
            is_recent = now() - modified < RECEIVING_SECONDS
            if is_recent and name.removeprefix(RECEIVING) in {*workers, self._worker}:
                receiving.add(job_id)
        old = {job_id for job_id, time in newest.items() if now() - time > ORPHAN_SECONDS}
        return sorted(old - receiving)

    def trim(self) -> None:
        self._copies.trim()

    def picture(self, key: PictureKey) -> bytes | None:
        with contextlib.suppress(StoreUnavailable):
            return self._bucket.get(_picture_key(key))
        return None

    def store_picture(self, key: PictureKey, content: bytes) -> None:
        with contextlib.suppress(StoreUnavailable):
            self._bucket.create(_picture_key(key), content)

    def link(self, job_id: str, path: Path, name: str, media_type: str, seconds: int) -> str:
        key = f"results/{job_id}/{uuid.uuid4().hex}"
        attributes = {
            "Content-Type": media_type,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        }
        self._bucket.put(key, path, attributes)
        return self._bucket.sign(key, seconds)


def _key(job_id: str, number: int) -> str:
    return f"files/{job_id}/{number}"


def _picture_key(key: PictureKey) -> str:
    job_id, index, width, rotation = key
    turn = f"-{rotation}" if rotation else ""
    return f"pictures/{job_id}/{index}-{width or 'full'}{turn}.jpg"
