"""A file created for one response: in memory or, if large, on the disk; deleted when sent."""

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
from dsocr.server.received.uploads import disk_error

MEMORY_BYTES = 4 << 20
"""A larger file is kept on the disk, without a name, until it is sent."""
CHUNK_BYTES = 1 << 20


async def download(
    write: Callable[[BinaryIO], Awaitable[None]], name: str, key: str, folder: Path
) -> Response:
    """A response with what `write` writes, named as the document with the format's extension.

    The file is complete before the response starts, so that an error is sent as an error and not
    as a truncated file. Raises `DiskFull`, and what `write` raises.
    """
    spooled = tempfile.SpooledTemporaryFile(MEMORY_BYTES, dir=str(folder))  # noqa: SIM115
    file = cast(BinaryIO, spooled)
    try:
        await write(file)
    except OSError as error:
        file.close()
        raise disk_error(error) from error
    except BaseException:
        file.close()
        raise
    return _Download(file, format_of(key).media_type, file_name_of(name, key))


def file_name_of(name: str, key: str) -> str:
    """The name of a document with the extension of a format."""
    return f"{PurePosixPath(name).stem or 'document'}.{format_of(key).extension}"


class _Download(Response):
    """Sends a file in chunks and closes it."""

    def __init__(self, file: BinaryIO, media_type: str, name: str) -> None:
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_. ") else "_" for c in name)
        disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
        headers = {"Content-Disposition": disposition, "Content-Length": str(file.tell())}
        super().__init__(media_type=media_type, headers=headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        with self._file as file:
            await send({**start, "headers": self.raw_headers})
            file.seek(0)
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
