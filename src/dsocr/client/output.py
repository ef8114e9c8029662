"""A file that is written completely or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dsocr.errors import BadRequest


@contextlib.contextmanager
def written_beside(path: Path) -> Iterator[IO[bytes]]:
    """A new file in the folder of `path`, which takes its place when the block succeeds.

    Raises `BadRequest` for a path that cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    except OSError as error:
        raise BadRequest(f"{path} cannot be written: {error.strerror or error}.") from error
    part = Path(name)
    try:
        with open(descriptor, "wb") as file:
            yield file
        os.chmod(part, _mode_of(path))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _mode_of(path: Path) -> int:
    """Of the file that is replaced, else that of a new file."""
    with contextlib.suppress(OSError):
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
