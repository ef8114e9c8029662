"""Files that clients uploaded to name them in later requests: where they are, and their facts.

They are in a local folder, or in object storage, the same for all hosts. A file has an id, a
content and facts, a text that is stored last: a file without facts does not exist. All methods
block: call them in a thread. They raise `DiskFull` and `StoreUnavailable`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from dsocr.errors import BadRequest
from dsocr.jobs.files.bucket import Bucket
from dsocr.jobs.files.local import raising_disk_full


class FileMissing(BadRequest):
    """There is no such file."""


_CONTENT, _FACTS, _SECRET = "data", "facts.json", "secret"
SECRET_BYTES = 32


class KeptFiles(Protocol):
    """Files by id."""

    def add(self, file_id: str, path: Path, facts: str) -> None:
        """Takes the file at the path over."""

    def facts(self, file_id: str) -> str | None:
        """None where there is no such file."""

    def ids(self) -> Iterator[tuple[str, float]]:
        """Each file, also one that is being added, and when it changed, in seconds since 1970."""

    def copy(self, file_id: str, path: Path) -> None:
        """Writes the content to a path, where the caller may move or delete it. Raises
        `FileMissing`."""

    def delete(self, file_id: str) -> None: ...

    def secret(self) -> bytes:
        """One for all processes; the first that needs it creates it."""


def kept_files(folder: Path, url: str) -> KeptFiles:
    """In the folder, or below a URL of object storage. Raises `UnsupportedStorage`."""
    return CloudKeptFiles(url) if url else LocalKeptFiles(folder)


class LocalKeptFiles:
    """A folder with a folder for each file. The processes that share it have the same files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, file_id: str, path: Path, facts: str) -> None:
        with raising_disk_full():
            folder = self._folder / file_id
            folder.mkdir(mode=0o700, parents=True)
            path.rename(folder / _CONTENT)
            (folder / _FACTS).write_text(facts)

    def facts(self, file_id: str) -> str | None:
        try:
            return (self._folder / file_id / _FACTS).read_text()
        except FileNotFoundError:
            return None

    def ids(self) -> Iterator[tuple[str, float]]:
        names = os.listdir(self._folder) if self._folder.is_dir() else []
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                path = self._folder / name
                if path.is_dir():
                    yield name, path.stat().st_mtime

    def copy(self, file_id: str, path: Path) -> None:
        content = self._folder / file_id / _CONTENT
        try:
            os.link(content, path)
        except FileNotFoundError as error:
            raise FileMissing() from error
        except OSError:  # a file system without links
            shutil.copyfile(content, path)

    def delete(self, file_id: str) -> None:
        shutil.rmtree(self._folder / file_id, ignore_errors=True)

    def secret(self) -> bytes:
        path = self._folder / _SECRET
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f"{_SECRET}-{secrets.token_hex(8)}"
            draft.touch(mode=0o600)
            draft.write_bytes(secrets.token_bytes(SECRET_BYTES))
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
        return path.read_bytes()


class CloudKeptFiles:
    """`kept/ID/` has a file, `kept-secret` the secret."""

    def __init__(self, url: str) -> None:
        self._bucket = Bucket(url)
        self._secret: bytes | None = None

    def add(self, file_id: str, path: Path, facts: str) -> None:
        self._bucket.put(_key(file_id, _CONTENT), path)
        self._bucket.create(_key(file_id, _FACTS), facts.encode())
        path.unlink()

    def facts(self, file_id: str) -> str | None:
        found = self._bucket.get(_key(file_id, _FACTS))
        return None if found is None else found.decode()

    def ids(self) -> Iterator[tuple[str, float]]:
        newest: defaultdict[str, float] = defaultdict(float)
        for key, modified in self._bucket.list("kept"):
            file_id = key.split("/")[1]
            newest[file_id] = max(newest[file_id], modified)
        yield from newest.items()

    def copy(self, file_id: str, path: Path) -> None:
        try:
            with raising_disk_full():
                self._bucket.fetch(_key(file_id, _CONTENT), path)
        except BadRequest as error:
            raise FileMissing() from error

    def delete(self, file_id: str) -> None:
        self._bucket.delete_below(f"kept/{file_id}")

    def secret(self) -> bytes:
        if self._secret is None:
            self._bucket.create(f"kept-{_SECRET}", secrets.token_bytes(SECRET_BYTES))
            self._secret = self._bucket.get(f"kept-{_SECRET}")
        assert self._secret is not None  # it was created now, or before
        return self._secret


def _key(file_id: str, name: str) -> str:
    return f"kept/{file_id}/{name}"
