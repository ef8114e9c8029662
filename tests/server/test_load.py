"""Far more clients than are admitted: memory stays bounded, and each client gets a response."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes import png
from tests.jobs.conftest import Server
from tests.processes import FEW_ARENAS, peak_mib

CLIENTS = 200
BODY_BYTES = 14 << 20
GROWTH_MIB = 400


@pytest.mark.parametrize("path", ["/api/ocr", "/api/jobs"])
def test_large_bodies_from_everywhere_stay_within_memory(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*FEW_ARENAS)
    server = Server(tmp_path / "runs", seconds=0.02, forked=False).start()
    try:
        assert server.process is not None
        before = peak_mib(server.process.pid)
        statuses = Counter(asyncio.run(ask_all(server.port, path)))
        assert set(statuses) <= {200, 202, 429}
        assert statuses[200] + statuses[202] >= 10
        assert peak_mib(server.process.pid) - before < GROWTH_MIB
        assert server.http.get("/health").json()["status"] == "ok"
    finally:
        server.close()


async def ask_all(port: int, path: str) -> list[int]:
    name = "image" if path == "/api/ocr" else "file"
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n'
    content = png(["some words"]).ljust(BODY_BYTES, b"\0")
    body = memoryview(head.encode() + content + b"\r\n--b--\r\n")
    return await asyncio.gather(*(ask(port, path, body) for _ in range(CLIENTS)))


async def ask(port: int, path: str, body: memoryview) -> int:
    """The status that a client gets, which sends until all is sent or a response arrives."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode()
    )
    answer = asyncio.ensure_future(reader.readline())
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(body), 1 << 18):
            if answer.done():
                break
            writer.write(body[start : start + (1 << 18)])
            await writer.drain()
    try:
        return int((await answer).split(b" ")[1])
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
