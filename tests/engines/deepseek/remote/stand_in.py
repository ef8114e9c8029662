"""Stand-ins for servers of the model, on a real socket of this process.

Each behaves as the program's own sources say: routes, refusals, the shape of its stream. What it
"reads" is in the picture: the lines that `tests.fakes.png` hides in a PNG's pixels, else its size.
Commands among these lines make it fail: see `_Chat`.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from dsocr.types import PageImage, RawPixels
from tests.fakes import commands_of

MODEL = "deepseek-ai/DeepSeek-OCR"
OWNERS = {"vllm": "vllm", "sglang": "sglang", "llamacpp": "llamacpp", "ollama": "library"}
LOGPROB = math.log(0.5)
Send = Callable[[bytes], None]


@dataclass(slots=True)
class Refusal(Exception):
    status: int
    message: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class StandIn:
    """One server. Its fields may be changed while it runs."""

    kind: str = "vllm"
    model: str = MODEL
    api_key: str | None = None
    seconds: float = 0.0
    """Before the first token of a page."""
    slots: int | None = None
    """Pages at a time; further ones wait, as in a server's queue."""
    refuse_with: Refusal | None = None
    """The answer to every chat."""
    loading: bool = False
    """llama.cpp answers its health check with 503 while it loads."""
    raw_stream: bytes | None = None
    """Sent in place of a completion, after which the connection ends."""
    piece: int = 8
    """Characters in a token."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the chats."""
    headers: list[dict[str, str]] = field(default_factory=list)
    num_aborted: int = 0
    """Chats whose connection was closed by the client."""
    running: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(self.slots or 1_000_000)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        """On the port it had before, if any."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As if its process was killed: connections end in the middle."""
        assert self._server is not None
        self._server.close()
        for task in [*self._connections]:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request. False where the connection ends with it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        try:
            self._check_key(headers)
            if method == "GET":
                _respond(writer, 200, self._get(path))
            else:
                self.headers.append(headers)
                return await self._post(path, json.loads(body), reader, writer)
        except Refusal as refusal:
            _respond(writer, refusal.status, self._error(refusal), refusal.headers)
        return True

    def _check_key(self, headers: dict[str, str]) -> None:
        if self.api_key and headers.get("authorization") != f"Bearer {self.api_key}":
            raise Refusal(401, "Unauthorized")

    def _get(self, path: str) -> Any:
        if path == "/v1/models":
            entry = {"id": self.model, "object": "model", "owned_by": OWNERS[self.kind]}
            return {"object": "list", "data": [entry]}
        if path != "/health" or self.kind == "ollama":
            raise Refusal(404, "Not Found")
        if self.loading:
            raise Refusal(503, "Loading model")
        return {"status": "ok"} if self.kind == "llamacpp" else None

    def _error(self, refusal: Refusal) -> dict[str, Any]:
        kind = {404: "NotFoundError", 503: "unavailable_error"}.get(refusal.status, "BadRequest")
        return {"error": {"message": refusal.message, "type": kind, "code": refusal.status}}

    async def _post(
        self, path: str, body: dict[str, Any], reader: asyncio.StreamReader, writer: Any
    ) -> bool:
        if path != "/v1/chat/completions":
            raise Refusal(404, "Not Found")
        self.requests.append(body)
        if self.refuse_with is not None:
            raise self.refuse_with
        if self.raw_stream is not None:
            _begin(writer, "text/event-stream")
            _chunk(writer, self.raw_stream)
            await writer.drain()
            return False
        chat = Chat(self, body)
        chat.check()
        gone = asyncio.ensure_future(reader.read(1))  # a client sends nothing while it waits
        writing = asyncio.ensure_future(self._stream(chat, writer))
        self.running += 1
        try:
            await asyncio.wait({gone, writing}, return_when=asyncio.FIRST_COMPLETED)
            complete = writing.done() and writing.exception() is None
            self.num_aborted += gone.done() and not complete
            return complete and writing.result()
        finally:
            self.running -= 1
            for task in (gone, writing):
                task.cancel()
            await asyncio.gather(gone, writing, return_exceptions=True)

    async def _stream(self, chat: Chat, writer: asyncio.StreamWriter) -> bool:
        async with self._slots:
            await asyncio.sleep(self.seconds)
            _begin(writer, "text/event-stream")
            async for event in chat.events():
                _chunk(writer, event)
                await writer.drain()
        _chunk(writer, b"")
        await writer.drain()
        return False  # the stand-in has read ahead on this connection


class Chat:
    """One completion. Commands in the picture: `@hang` stops in mid-stream, `@die` ends the
    connection there, `@length` ends as cut off, `@error` sends an error in the stream."""

    def __init__(self, server: StandIn, body: dict[str, Any]) -> None:
        self.server, self.body = server, body
        parts = body["messages"][0]["content"]
        self.text: str = next(part["text"] for part in parts if part["type"] == "text")
        url = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
        file = io.BytesIO(base64.b64decode(url.partition(",")[2]))
        self.picture = Image.open(file).convert("RGB")

    def check(self) -> None:
        """Refuses what the program refuses."""
        if self.body["model"] != self.server.model:
            raise Refusal(404, f"The model `{self.body['model']}` does not exist.")
        expected = 1 if self.server.kind == "vllm" else 0
        if self.text.count("<image>") != expected:
            raise Refusal(400, "number of images and of placeholders differ")
        if self.body.get("top_logprobs") is not None and not self.body.get("logprobs"):
            raise Refusal(400, "top_logprobs requires logprobs to be set to true")
        for value in self.body.get("vllm_xargs", {}).values():
            if not isinstance(value, str | int | float | list):
                raise Refusal(400, "vllm_xargs: Input should be a valid string")

    @property
    def lines(self) -> list[str]:
        width, height = self.picture.size
        data = bytearray(self.picture.tobytes())
        page = PageImage(0, RawPixels(width, height, data), width, height)
        return [line.text for line in commands_of(page)] or [f"{width} x {height}"]

    @property
    def raw(self) -> str:
        """A model server drops special tokens unless it is told not to; Ollama keeps them."""
        words = [line for line in self.lines if not line.startswith("@")]
        tag = "<|ref|>text<|/ref|><|det|>[[100, 100, 900, 200]]<|/det|>\n"
        dropped = self.body.get("skip_special_tokens", True) and self.server.kind != "ollama"
        return "\n\n".join(("" if dropped else tag) + word for word in words)

    async def events(self) -> AsyncIterator[bytes]:
        yield self._event({"role": "assistant", "content": ""})
        raw, size = self.raw, self.server.piece
        pieces = [raw[place : place + size] for place in range(0, len(raw), size)]
        for number, piece in enumerate(pieces):
            if number == len(pieces) // 2:
                async for event in self._commands():
                    yield event
            yield self._event({"content": piece}, piece=piece)
            await asyncio.sleep(0)
        reason = "length" if "@length" in self.lines else "stop"
        yield self._event({}, finish=reason)
        usage = {"prompt_tokens": 280, "completion_tokens": len(pieces), "total_tokens": 0}
        yield _data({"model": self.server.model, "choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    async def _commands(self) -> AsyncIterator[bytes]:
        if "@hang" in self.lines:
            await asyncio.Event().wait()
        if "@die" in self.lines:
            raise ConnectionError
        if "@error" in self.lines:
            yield _data({"error": {"message": "EngineCore died", "code": 500}})

    def _event(self, delta: Any, *, finish: str | None = None, piece: str = "") -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
        wanted = self.body.get("logprobs") and self.server.kind != "ollama"
        if self.server.kind == "llamacpp":
            wanted = wanted and self.body.get("top_logprobs")
        if wanted and piece:
            choice["logprobs"] = {"content": [{"token": piece, "logprob": LOGPROB}]}
        return _data({"model": self.server.model, "choices": [choice]})


@asynccontextmanager
async def running(*servers: StandIn) -> AsyncIterator[None]:
    for server in servers:
        await server.start()
    try:
        yield
    finally:
        await asyncio.gather(*(server.stop() for server in servers))


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _respond(
    writer: asyncio.StreamWriter, status: int, body: Any, headers: dict[str, str] | None = None
) -> None:
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} -", f"content-length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + data)


def _begin(writer: asyncio.StreamWriter, media_type: str) -> None:
    lines = (
        "HTTP/1.1 200 OK",
        f"content-type: {media_type}",
        "transfer-encoding: chunked",
        "connection: close",
    )
    writer.write("\r\n".join([*lines, "", ""]).encode())


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Also the empty one, which ends a response."""
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
