"""Output files: written completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from dsocr.errors import BadRequest, DiskFull


def write_atomically(path: Path, content: bytes) -> None:
    """Writes to a temporary file beside `path` and renames it. Creates the folders above it.

    Raises `DiskFull` and `BadRequest`.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"There is no space left for {path}.") from error
        raise BadRequest(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def make_writable_folder(folder: Path) -> None:
    """Creates the folder if it is missing. Raises `BadRequest` if files cannot be created in it:
    checked before documents are read."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(f"{folder} cannot be made: {error.strerror or error}.") from error
    if not os.access(folder, os.W_OK):
        raise BadRequest(f"{folder} is not writable; choose another folder.")
