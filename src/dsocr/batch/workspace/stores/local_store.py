"""A workspace in a folder, which several machines may share if it has hard links (NFS has)."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from dsocr.errors import BadRequest, DiskFull


class LocalStore:
    """Each object is a file. A file appears by a link or a rename, so it is always complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: set[str] = set()
        self._prefix = f".{uuid.uuid4().hex[:8]}"
        self._count = 0

    def get(self, key: str) -> bytes | None:
        with self._errors():
            try:
                return self._path(key).read_bytes()
            except FileNotFoundError:
                return None

    def open(self, key: str) -> BinaryIO | None:
        with self._errors():
            try:
                return self._path(key).open("rb")
            except FileNotFoundError:
                return None

    def create(self, key: str, content: bytes | BinaryIO) -> bool:
        with self._errors(), self._part(key, content) as part:
            try:
                os.link(part, self._path(key))
            except FileExistsError:
                return False
            return True

    def put(self, key: str, content: bytes) -> None:
        with self._errors(), self._part(key, content) as part:
            os.replace(part, self._path(key))

    def keys(self, prefix: str) -> list[str]:
        with self._errors():
            return sorted(_keys_below(self._path(prefix), prefix))

    def delete(self, keys: Sequence[str]) -> None:
        with self._errors():
            for key in keys:
                self._path(key).unlink(missing_ok=True)
            for folder in sorted({os.path.dirname(key) for key in keys}, reverse=True):
                self._remove_empty(folder)

    def _path(self, key: str) -> Path:
        return self._folder / key

    def _remove_empty(self, folder: str) -> None:
        while "/" in folder:  # folders of the first level stay
            try:
                self._path(folder).rmdir()
            except OSError:
                return
            self._made.discard(folder)
            folder = os.path.dirname(folder)

    @contextlib.contextmanager
    def _part(self, key: str, content: bytes | BinaryIO) -> Iterator[str]:
        self._count += 1
        folder = os.path.dirname(key)
        part = self._folder / folder / f"{self._prefix}.{os.getpid()}.{self._count}.part"
        if folder not in self._made:
            part.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        try:
            try:
                out = part.open("wb")
            except FileNotFoundError:  # another worker removed the empty folder
                part.parent.mkdir(parents=True, exist_ok=True)
                out = part.open("wb")
            with out:
                if isinstance(content, bytes):
                    out.write(content)
                else:
                    shutil.copyfileobj(content, out)
            yield str(part)
        finally:
            part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise DiskFull(f"There is no space left in {self._folder}.") from error
            reason = error.strerror or error
            raise BadRequest(f"The workspace {self._folder} cannot be used: {reason}.") from error


def _keys_below(folder: Path, prefix: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _keys_below(folder / entry.name, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}"
