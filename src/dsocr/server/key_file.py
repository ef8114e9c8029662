"""A file of API keys as hashes: `dsocr keys` changes it, a running service reads it again.

Keys are random and long (256 bits), so that a plain SHA-256 of one cannot be searched for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dsocr.errors import DsocrError

logger = logging.getLogger(__name__)

PREFIX = "dsocr_"
"""Of generated keys, so that scanners for leaked secrets find them."""
KEY_BYTES = 32
_NAME = re.compile(r"[\w.@-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")


class BadKeyFile(DsocrError):
    """The file of keys cannot be read or written, or has no such key."""

    code = "bad_key_file"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as the file has it; the key itself is not stored."""

    name: str
    sha256: str
    createdAt: str


def hash_of(key: str) -> bytes:
    """The SHA-256 of a key as it came in a header or a setting."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()


def read_keys(path: Path) -> tuple[StoredKey, ...]:
    """The keys of the file, none if there is no file. Raises `BadKeyFile`."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return tuple(_stored_key(entry) for entry in entries)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadKeyFile(f"{path} is no readable file of keys ({error}).") from error


def add_key(path: Path, name: str) -> str:
    """Stores the hash of a new key and returns the key. Raises `BadKeyFile`."""
    if not _NAME.fullmatch(name):
        raise BadKeyFile("A name has 1 to 64 letters, digits and any of _ . @ -")
    key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with _locked(path):
        keys = read_keys(path)
        if any(known.name == name for known in keys):
            raise BadKeyFile(f"There is a key {name!r} already. Revoke it, or choose another name.")
        _write_keys(path, (*keys, StoredKey(name, hash_of(key).hex(), created)))
    return key


def revoke_key(path: Path, name: str) -> None:
    """Takes a key out of the file. Raises `BadKeyFile`."""
    with _locked(path):
        keys = read_keys(path)
        left = tuple(known for known in keys if known.name != name)
        if len(left) == len(keys):
            names = ", ".join(known.name for known in keys) or "none"
            raise BadKeyFile(f"There is no key {name!r}. There is: {names}.")
        _write_keys(path, left)


class KeyFile:
    """The hashes in a file, read again when the file has changed.

    A service that has once seen the file never becomes open again: without keys, or without the
    file, it refuses all. A file that cannot be read leaves the keys as they were.
    """

    def __init__(self, path: Path) -> None:
        """Raises `BadKeyFile` for a file that is there and cannot be read."""
        self._path = path
        self._seen = self._state()
        self._hashes = _hashes(read_keys(path))
        self.exists = self._seen is not None

    def hashes(self) -> tuple[bytes, ...]:
        state = self._state()
        if state != self._seen:
            self._seen = state
            self.exists = self.exists or state is not None
            try:
                self._hashes = _hashes(read_keys(self._path))
            except BadKeyFile as error:
                logger.error("the keys stay as they were: %s", error.message)
        return self._hashes

    def _state(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _stored_key(entry: Any) -> StoredKey:
    key = StoredKey(**entry)
    if not _HASH.fullmatch(key.sha256):
        raise ValueError(f"the hash of {key.name} has no 64 hexadecimal digits")
    return key


def _hashes(keys: tuple[StoredKey, ...]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(key.sha256) for key in keys)


def _write_keys(path: Path, keys: tuple[StoredKey, ...]) -> None:
    """Replaces the file as a whole; only its owner may read it."""
    descriptor, part = tempfile.mkstemp(prefix=".keys.", dir=path.parent)  # mode 0600
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({"keys": [asdict(key) for key in keys]}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two commands change the file one after the other. Raises `BadKeyFile`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.parent / f".{path.name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise BadKeyFile(f"{path} cannot be written: {error.strerror or error}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
