"""Files that clients uploaded to name them in later requests, each in a folder of its own.

They are plain files below the runs folder, so that every process of the service has the same ones.
A link to a file is signed and expires; it names the file to this service alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from dsocr.server.contracts.body import private_folder
from dsocr.server.problems import NotFound
from dsocr.server.received.uploads import Upload

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LINK = re.compile(r"/v1/files/([0-9a-f-]{36})/content")
_DATA, _FACTS, _SECRET = "data", "facts.json", "secret"
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
    """The files in one folder. `owner` None, where there are no keys, sees every file. All methods
    use the disk: call them in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, upload: Upload, purpose: str, owner: str | None) -> StoredFile:
        """Takes over the file of the upload. Deletes files that are too old."""
        self._delete_old()
        facts = StoredFile(
            str(uuid.uuid4()), upload.name, upload.size, purpose, int(time.time()), owner or ""
        )
        folder = self._folder / facts.id
        folder.mkdir(mode=0o700, parents=True)
        upload.path.rename(folder / _DATA)
        # Last: a file without its facts does not exist.
        (folder / _FACTS).write_text(json.dumps(asdict(facts)))
        return facts

    def get(self, file_id: str, owner: str | None) -> StoredFile:
        """Raises `FileNotKept`."""
        if not _ID.fullmatch(file_id):
            raise FileNotKept()
        try:
            found = StoredFile(**json.loads((self._folder / file_id / _FACTS).read_text()))
        except FileNotFoundError as error:
            raise FileNotKept() from error
        if _is_old(found):
            shutil.rmtree(self._folder / file_id, ignore_errors=True)
            raise FileNotKept()
        if owner is not None and found.owner != owner:
            raise FileNotKept()
        return found

    def files(self, owner: str | None) -> list[StoredFile]:
        """Newest first."""
        found = []
        for file_id in self._ids():
            with contextlib.suppress(FileNotKept):
                found.append(self.get(file_id, owner))
        return sorted(found, key=lambda file: -file.created_at)

    def path(self, file: StoredFile) -> Path:
        return self._folder / file.id / _DATA

    def delete(self, file_id: str, owner: str | None) -> None:
        """Raises `FileNotKept`. A request that reads the file has its own link to it."""
        shutil.rmtree(self._folder / self.get(file_id, owner).id, ignore_errors=True)

    def open(self, file: StoredFile, parent: Path, stack: AsyncExitStack) -> Upload:
        """The file for one request, which may move it away; it lasts until `stack` is closed."""
        path = stack.enter_context(private_folder(parent)) / "1"
        try:
            os.link(self.path(file), path)
        except FileNotFoundError as error:
            raise FileNotKept() from error
        except OSError:  # a file system without links
            shutil.copyfile(self.path(file), path)
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
        return hmac.new(self._secret(), message, hashlib.sha256).hexdigest()

    def _secret(self) -> bytes:
        """One for all processes; the first that needs it creates it."""
        path = self._folder / _SECRET
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f"{_SECRET}-{secrets.token_hex(8)}"
            draft.touch(mode=0o600)
            draft.write_bytes(secrets.token_bytes(32))
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
        return path.read_bytes()

    def _ids(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return [name for name in os.listdir(self._folder) if _ID.fullmatch(name)]

    def _delete_old(self) -> None:
        ids = self._ids()
        for file_id in ids:
            folder = self._folder / file_id
            with contextlib.suppress(FileNotFoundError):
                if time.time() - folder.stat().st_mtime > KEEP_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)


def _is_old(file: StoredFile) -> bool:
    return time.time() - file.created_at > KEEP_SECONDS
