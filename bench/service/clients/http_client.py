"""HTTP/1.1 over a plain connection, so that the client costs little beside the service."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BOUNDARY = b"bench-service-boundary"
LIMIT = 64 << 20
"""Longest line of a body: the `done` event holds the whole document."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    first_text: float | None
    """When the first text of an event stream arrived, by the monotonic clock."""

    def json(self) -> Any:
        """The body, or the data of the last event of a stream."""
        if "text/event-stream" not in self.headers.get("content-type", ""):
            return json.loads(self.body)
        last = self.body.rstrip().rpartition(b"\n\n")[2]
        name, data = (line for line in last.splitlines() if not line.startswith(b"id:"))
        assert name == b"event: done", last[:300]
        return json.loads(data.removeprefix(b"data: "))


class Connection:
    """One connection that is kept open between requests."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def get(self, path: str) -> Any:
        """The JSON of a 200."""
        answer = await self._send(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        assert answer.status == 200, answer.body[:300]
        return answer.json()

    async def post_file(self, path: str, field: str, file: Path, *, stream: bool) -> Answer:
        """Sends a form with one file, of default options. `stream`: asks for events."""
        head = (
            f'Content-Disposition: form-data; name="{field}"; filename="{file.name}"\r\n\r\n'
        ).encode()
        parts = [b"--" + BOUNDARY + b"\r\n" + head, file.read_bytes()]
        parts.append(b"\r\n--" + BOUNDARY + b"--\r\n")
        accept = "text/event-stream" if stream else "application/json"
        request = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAccept: {accept}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n"
            f"Content-Length: {sum(map(len, parts))}\r\n\r\n"
        )
        return await self._send(request.encode(), *parts)

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _send(self, *parts: bytes) -> Answer:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self._port, limit=LIMIT
            )
        assert self._reader is not None
        self._writer.writelines(parts)
        await self._writer.drain()
        answer = await _receive(self._reader)
        if answer.headers.get("connection") == "close":
            await self.close()
        return answer


async def _receive(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    first: float | None = None
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body, first = await _chunks(reader)
    return Answer(int(head[0].split(" ")[1]), headers, body, first)


async def _chunks(reader: asyncio.StreamReader) -> tuple[bytes, float | None]:
    """A chunked body, and when its first `delta` event arrived."""
    parts: list[bytes] = []
    first: float | None = None
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunk = (await reader.readexactly(size + 2))[:-2]
        if first is None and b"event: delta" in chunk:
            first = time.monotonic()
        parts.append(chunk)
    await reader.readexactly(2)
    return b"".join(parts), first
