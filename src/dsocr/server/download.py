"""A file made for a client: to the disk when it is large, and gone when it is sent."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dsocr.exports import format_of
from dsocr.server.uploads import disk_problem

MEMORY_BYTES = 4 << 20
"""A file that is larger is kept on the disk, without a name, while it is made and sent."""
PIECE_BYTES = 1 << 20


async def download(
    write: Callable[[BinaryIO], Awaitable[None]], name: str, key: str, folder: Path
) -> Response:
    """What `write` writes, to be saved under the document's name with the format's extension.

    It is whole before the answer begins, so that a fault is still an error and not a short file.
    Raises `DiskFull`, and what `write` raises.
    """
    spooled = tempfile.SpooledTemporaryFile(MEMORY_BYTES, dir=str(folder))  # noqa: SIM115
    made = cast(BinaryIO, spooled)
    try:
        await write(made)
    except OSError as error:
        made.close()
        raise disk_problem(error) from error
    except BaseException:
        made.close()
        raise
    format = format_of(key)
    named = f"{PurePosixPath(name).stem or 'document'}.{format.extension}"
    return _Download(made, format.media_type, named)


class _Download(Response):
    """Sends a file piece by piece and closes it."""

    def __init__(self, made: BinaryIO, media_type: str, name: str) -> None:
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_. ") else "_" for c in name)
        disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
        headers = {"Content-Disposition": disposition, "Content-Length": str(made.tell())}
        super().__init__(media_type=media_type, headers=headers)
        self._made = made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        with self._made as made:
            await send({**start, "headers": self.raw_headers})
            made.seek(0)
            while piece := await asyncio.to_thread(made.read, PIECE_BYTES):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
