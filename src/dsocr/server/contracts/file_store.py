"""Files that clients uploaded to name them in later requests.

They are where the files of jobs are: below the runs folder, or in object storage for all hosts. A
link to a file is signed and expires; it names the file to this service alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from dsocr.jobs.files.kept_files import FileMissing, KeptFiles
from dsocr.server.contracts.body import private_folder
from dsocr.server.problems import NotFound
from dsocr.server.received.uploads import Upload

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LINK = re.compile(r"/v1/files/([0-9a-f-]{36})/content")
KEEP_SECONDS = 24 * 3600
"""How long a file is kept that is not deleted."""


class FileNotKept(NotFound):
    """There is no such file; files are kept for a day."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was uploaded."""

    id: str
    name: str
    size: int
    purpose: str
    created_at: int
    """Seconds since 1970."""
    owner: str
    """Fingerprint of the API key; empty where there are no keys."""


class FileStore:
    """The kept files as clients see them. `owner` None, where there are no keys, sees every file.
    All methods block: call them in a thread. They raise `DiskFull` and `StoreUnavailable`."""

    def __init__(self, kept: KeptFiles) -> None:
        self._kept = kept

    def add(self, upload: Upload, purpose: str, owner: str | None) -> StoredFile:
        """Takes over the file of the upload. Deletes files that are too old."""
        self._delete_old()
        facts = StoredFile(
            str(uuid.uuid4()), upload.name, upload.size, purpose, int(time.time()), owner or ""
        )
        self._kept.add(facts.id, upload.path, json.dumps(asdict(facts)))
        return facts

    def get(self, file_id: str, owner: str | None) -> StoredFile:
        """Raises `FileNotKept`."""
        facts = self._kept.facts(file_id) if _ID.fullmatch(file_id) else None
        if facts is None:
            raise FileNotKept()
        found = StoredFile(**json.loads(facts))
        if _is_old(found.created_at):
            self._kept.delete(file_id)
            raise FileNotKept()
        if owner is not None and found.owner != owner:
            raise FileNotKept()
        return found

    def files(self, owner: str | None) -> list[StoredFile]:
        """Newest first."""
        found = []
        for file_id, _ in self._kept.ids():
            with contextlib.suppress(FileNotKept):
                found.append(self.get(file_id, owner))
        return sorted(found, key=lambda file: -file.created_at)

    def delete(self, file_id: str, owner: str | None) -> None:
        """Raises `FileNotKept`. A request that reads the file has a copy or a link of its own."""
        self._kept.delete(self.get(file_id, owner).id)

    def open(self, file: StoredFile, parent: Path, stack: AsyncExitStack) -> Upload:
        """The file for one request, which may move it away; it lasts until `stack` is closed."""
        path = stack.enter_context(private_folder(parent)) / "1"
        try:
            self._kept.copy(file.id, path)
        except FileMissing as error:
            raise FileNotKept() from error
        return Upload(file.name, path, file.size)

    def link(self, file: StoredFile, base: str, hours: int) -> str:
        """A URL that `linked` takes until it expires."""
        expires = int(time.time()) + hours * 3600
        signature = self._signature(file.id, expires)
        return f"{base}/v1/files/{file.id}/content?expires={expires}&signature={signature}"

    def linked(self, url: str) -> StoredFile | None:
        """The file of a link of this service; None for any other URL. Whatever host the URL names,
        nothing is fetched. Raises `FileNotKept` if the file is gone or the link has expired."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        found = _LINK.search(parts.path)
        query = parse_qs(parts.query)
        expires, signature = (query.get(name, [""])[0] for name in ("expires", "signature"))
        if not (found and expires.isascii() and expires.isdecimal() and len(expires) < 16):
            return None
        expected = self._signature(found[1], int(expires))
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return None
        if int(expires) < time.time():
            raise FileNotKept("The link to the file has expired.")
        return self.get(found[1], None)

    def _signature(self, file_id: str, expires: int) -> str:
        message = f"{file_id}:{expires}".encode()
        return hmac.new(self._kept.secret(), message, hashlib.sha256).hexdigest()

    def _delete_old(self) -> None:
        for file_id, changed_at in self._kept.ids():
            if _ID.fullmatch(file_id) and _is_old(changed_at):
                self._kept.delete(file_id)


def _is_old(moment: float) -> bool:
    """`moment` in seconds since 1970."""
    return time.time() - moment > KEEP_SECONDS
