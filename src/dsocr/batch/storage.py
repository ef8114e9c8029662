"""Output files: a plain file is written completely or not at all, anything else written through."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dsocr.batch.names import printable
from dsocr.errors import BadRequest, DiskFull

MAX_LINKS = 40
"""The most links that are followed from one name, as in Linux."""


Content = bytes | BinaryIO
"""A file is copied from its start."""


def write_output(path: Path, content: Content) -> None:
    """Writes to what `path` stands for: links are followed, pipes and devices written to, and an
    existing file keeps its mode and its owner. Creates the folders above it.

    A plain file is written beside its place and renamed, except if it has other hard links or an
    owner that cannot be kept; then it is overwritten. Raises `DiskFull` and `BadRequest`.
    """
    with _errors_of(path):
        descriptor = descriptor_named(path)
        if descriptor is not None:
            with open(descriptor, "wb", closefd=False) as out:  # at its position, nothing truncated
                _fill(out, content)
        elif is_stream(path):
            _write_over(path, content)
        else:
            _write_file(Path(os.path.realpath(path)), content)


def write_stream(path: Path, content: bytes) -> bool:
    """As `write_output`, for a pipe or a device. False, and nothing is written, while a named pipe
    has no reader: opening it would block."""
    with _errors_of(path):
        try:
            descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            if error.errno == errno.ENXIO and path.is_fifo():
                return False
            raise
        os.set_blocking(descriptor, True)
        with open(descriptor, "wb") as out:
            out.write(content)
    return True


def is_stream(path: Path) -> bool:
    """Whether `path`, or what it links to, is there and is neither a file nor a folder."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def descriptor_named(path: Path) -> int | None:
    """The descriptor of this process that `path` is a name of, such as 1 for /dev/stdout."""
    own = (f"/proc/{os.getpid()}/fd", "/dev/fd")
    for _ in range(MAX_LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) in own:
            return int(path.name)
        try:
            path = path.parent / os.readlink(path)
        except OSError:  # not a link
            return None
    return None


def make_writable(path: Path) -> None:
    """Creates the folder of the output `path`. Raises `BadRequest` if it cannot be written:
    checked before documents are read."""
    if not (os.path.exists(path) and os.access(path, os.W_OK)):
        make_writable_folder(Path(os.path.realpath(path)).parent)


def make_writable_folder(folder: Path) -> None:
    """Creates the folder if it is missing. Raises `BadRequest` if files cannot be created in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(f"{folder} cannot be made: {error.strerror or error}.") from error
    if not os.access(folder, os.W_OK):
        raise BadRequest(f"{folder} is not writable; choose another folder.")


@contextlib.contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Turns an `OSError` into `DiskFull` or `BadRequest`."""
    try:
        yield
    except OSError as error:
        name = printable(str(path))
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"There is no space left for {name}.") from error
        raise BadRequest(f"{name} cannot be written: {error.strerror or error}.") from error


def _fill(out: BinaryIO, content: Content) -> None:
    if isinstance(content, bytes):
        out.write(content)
    else:
        content.seek(0)
        shutil.copyfileobj(content, out)


def _write_over(path: Path, content: Content) -> None:
    with path.open("wb") as out:
        _fill(out, content)


def _write_file(path: Path, content: Content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replaced = path.stat() if path.exists() else None
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if _write_part(part, content, replaced):
            part.replace(path)
        else:
            _write_over(path, content)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _write_part(part: Path, content: Content, replaced: os.stat_result | None) -> bool:
    """Writes a file that can take the place of `replaced`; False if none can."""
    if replaced is not None and replaced.st_nlink > 1:
        return False
    try:
        part.unlink(missing_ok=True)
        _write_new(part, content, 0o666 if replaced is None else 0o600)
    except PermissionError:
        if replaced is None:
            raise
        return False
    return replaced is None or _take_over(part, replaced)


def _write_new(path: Path, content: Content, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags, mode), "wb") as out:
        _fill(out, content)


def _take_over(part: Path, replaced: os.stat_result) -> bool:
    """Gives `part` the owner and the mode of a file; False if the owner cannot be given."""
    owner = (replaced.st_uid, replaced.st_gid)
    created = part.stat()
    if (created.st_uid, created.st_gid) != owner:
        try:
            os.chown(part, *owner)
        except OSError:
            return False
    part.chmod(stat.S_IMODE(replaced.st_mode))
    return True
