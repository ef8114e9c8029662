"""Files of jobs in object storage, the same for all hosts. Needs the extra `cloud`.

`files/JOB/NUMBER` is a file, `files/JOB/receiving-WORKER` names the process that has stored them,
`pictures/JOB/` has pictures of pages, `results/JOB/` exports that a link was made for.
Credentials and endpoints are those of the provider's environment variables, such as
`AWS_ACCESS_KEY_ID` and `AWS_ENDPOINT_URL`.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dsocr.errors import BadRequest, StoreUnavailable
from dsocr.jobs.files.copies import LocalCopies
from dsocr.jobs.files.storage import ORPHAN_SECONDS, UnsupportedStorage
from dsocr.pages.page_images import PictureKey

log = logging.getLogger(__name__)

RANGE_BYTES = 16 << 20
"""A file is fetched in ranges: a lost connection costs one of them."""
RECEIVING = "receiving-"
RECEIVING_SECONDS = 24 * 3600
"""A process that is alive may take so long to store the files of a job."""
RETRIES = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}


class CloudStorage:
    """Files below a URL, with copies of those that this host reads."""

    orphans_every_seconds = ORPHAN_SECONDS / 2
    """All objects are listed, and requests cost money."""

    def __init__(self, url: str, copies: LocalCopies, worker: str) -> None:
        """`worker` is the id that this process sends heartbeats under. Raises
        `UnsupportedStorage`."""
        self._url = url
        self._copies = copies
        self._worker = worker
        try:
            import obstore
        except ImportError as error:
            raise UnsupportedStorage(
                f"{url} needs the extra cloud; install it with: pip install 'dsocr[cloud]'"
            ) from error
        self._obstore: Any = obstore
        self._store = _open(obstore, url)

    def open(self) -> None:
        self._copies.open()

    def store(self, job_id: str, paths: Sequence[Path]) -> None:
        """Sends large files in parts. The copies of this host are the files themselves."""
        with self._errors():
            self._create(f"files/{job_id}/{RECEIVING}{self._worker}", b"")
            for number, path in enumerate(paths):
                self._obstore.put(self._store, _key(job_id, number), path)
        for number, path in enumerate(paths):
            self._copies.adopt(job_id, number, path)

    def path(self, job_id: str, number: int) -> Path:
        def fetch(part: Path) -> None:
            with self._errors():
                self._fetch(_key(job_id, number), part)

        return self._copies.get(job_id, number, fetch)

    def touch(self, job_id: str, number: int) -> None:
        self._copies.touch(job_id, number)

    def delete(self, job_id: str) -> None:
        self._copies.delete(job_id)
        try:
            for kind in ("files", "pictures", "results"):
                self._delete_below(f"{kind}/{job_id}")
        except StoreUnavailable as error:
            log.warning("job %s: its files are deleted later: %s", job_id, error.message)

    def old_jobs(self, workers: Collection[str], now: Callable[[], float]) -> list[str]:
        newest: defaultdict[str, float] = defaultdict(float)
        receiving: set[str] = set()
        with self._errors():
            for found in self._list("files"):
                _, job_id, name = found["path"].split("/", 2)
                modified = found["last_modified"].timestamp()
                newest[job_id] = max(newest[job_id], modified)
                is_recent = now() - modified < RECEIVING_SECONDS
                if is_recent and name.removeprefix(RECEIVING) in {*workers, self._worker}:
                    receiving.add(job_id)
        old = {job_id for job_id, time in newest.items() if now() - time > ORPHAN_SECONDS}
        return sorted(old - receiving)

    def trim(self) -> None:
        self._copies.trim()

    def picture(self, key: PictureKey) -> bytes | None:
        with contextlib.suppress(StoreUnavailable, BadRequest), self._errors():
            return bytes(self._obstore.get(self._store, _picture_key(key)).bytes())
        return None

    def store_picture(self, key: PictureKey, content: bytes) -> None:
        with contextlib.suppress(StoreUnavailable), self._errors():
            self._create(_picture_key(key), content)

    def link(self, job_id: str, path: Path, name: str, media_type: str, seconds: int) -> str:
        key = f"results/{job_id}/{uuid.uuid4().hex}"
        attributes = {
            "Content-Type": media_type,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        }
        expires = timedelta(seconds=seconds)
        with self._errors():
            self._obstore.put(self._store, key, path, attributes=attributes)
            url: str = self._obstore.sign(self._store, "GET", key, expires_in=expires)
        return url

    def _create(self, key: str, content: bytes) -> bool:
        """Whether there was no such object; an existing one stays."""
        from obstore.exceptions import AlreadyExistsError

        try:
            self._obstore.put(self._store, key, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def _fetch(self, key: str, path: Path) -> None:
        size: int = self._obstore.head(self._store, key)["size"]
        with path.open("wb") as out:
            for start in range(0, size, RANGE_BYTES):
                end = min(start + RANGE_BYTES, size)
                out.write(self._obstore.get_range(self._store, key, start=start, end=end))

    def _delete_below(self, prefix: str) -> None:
        with self._errors():
            keys = [found["path"] for found in self._list(prefix)]
            if keys:
                self._obstore.delete(self._store, keys)

    def _list(self, prefix: str) -> Iterator[dict[str, Any]]:
        for chunk in self._obstore.list(self._store, prefix):
            yield from chunk

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            raise BadRequest("The file is not in the storage any more.") from error
        except (BaseError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise StoreUnavailable(f"The storage cannot be used: {reason}") from error


def _open(obstore: Any, url: str) -> Any:
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        return from_url(url, retry_config=RETRIES)
    except (BaseError, ValueError) as error:
        raise UnsupportedStorage(f"{url} cannot be used: {error}") from error


def _key(job_id: str, number: int) -> str:
    return f"files/{job_id}/{number}"


def _picture_key(key: PictureKey) -> str:
    job_id, index, width, rotation = key
    turn = f"-{rotation}" if rotation else ""
    return f"pictures/{job_id}/{index}-{width or 'full'}{turn}.jpg"
