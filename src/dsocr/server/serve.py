"""Runs the service with uvicorn, patient with honest clients and short with the others.

uvicorn alone waits for ever for a request head that never ends.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
import logging
import signal
import socket
import uuid
from http import HTTPStatus
from types import FrameType
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from dsocr.config import ServerConfig, Settings, check_runs_dir
from dsocr.errors import CannotListen
from dsocr.server.app import create_app
from dsocr.server.problems import RETRY_AFTER_SECONDS
from dsocr.server.route_attributes import ErrorWords, default_error_shape

logger = logging.getLogger(__name__)

NO_PLACE = "Too many connections are open."
LONG_HEAD = "The head of the request is longer than {} bytes."


def run(settings: Settings, host: str, port: int) -> None:
    """Serves until SIGINT or SIGTERM; running requests are then answered first.

    Raises `BadSetting` and `CannotListen`.
    """
    check_runs_dir(settings.runs_dir)
    app = create_app(settings)
    if not settings.server.api_keys and not is_loopback(host):
        logger.warning(
            "listening on %s without a key: whoever reaches this port can use the service. "
            "Set DEEPSEEK_OCR_API_KEYS to change that.",
            host,
        )
    listening = listen(host, port)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its stages say nothing to a person
    server = _Server(uvicorn_config(app, settings.server, host=host, port=port))
    # uvicorn sends itself the signal again after a clean stop; ours shall end with status 0.
    previous = {sig: signal.signal(sig, _ignore) for sig in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listening])
    finally:
        for sig, handler in previous.items():
            signal.signal(sig, handler)


def listen(host: str, port: int) -> socket.socket:
    """Before anything is loaded: a taken port is told at once. Raises `CannotListen`."""
    try:
        [(family, *_), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "something listens there already" if taken else error.strerror
        raise CannotListen(
            f"Cannot listen on {address(host, port)}: {why}. Choose another --port or --host."
        ) from error


def uvicorn_config(app: FastAPI, config: ServerConfig, *, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol_class(config),
        ws="none",
        server_header=False,
        access_log=False,
        log_config=None,
        h11_max_incomplete_event_size=config.max_header_bytes,
        timeout_graceful_shutdown=int(config.drain_seconds),
    )


def address(host: str, port: int) -> str:
    """What to type into a browser here; every network includes this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def protocol_class(config: ServerConfig) -> type[asyncio.Protocol]:
    """uvicorn's HTTP/1.1 with a deadline for request heads and a bound on connections."""

    most = config.max_header_bytes

    class GuardedProtocol(H11Protocol):
        _head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            if len(self.connections) >= config.max_connections:
                transport.write(_unasked(503, NO_PLACE, retryable=True))
                transport.close()
                return
            super().connection_made(transport)
            self._watch_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_watching()
            if self.transport is not None:
                super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.conn.their_state is h11.IDLE and self._head_bytes(data) > most:
                self.send_400_response(LONG_HEAD.format(most))
                return
            super().data_received(data)
            if self.conn.their_state is h11.IDLE:
                self._watch_head()
            else:
                self._stop_watching()

        def send_400_response(self, msg: str) -> None:
            """Also for what h11 cannot make sense of."""
            self.transport.write(_unasked(400, msg))
            self.transport.close()

        def _head_bytes(self, data: bytes) -> int:
            """How long the head is, or is so far: h11 itself looks only at heads that are cut."""
            before, _ = self.conn.trailing_data
            end = (before[-3:] + data).find(b"\r\n\r\n")
            return len(before) + (len(data) if end < 0 else end - len(before[-3:]))

        def _watch_head(self) -> None:
            """Armed once a head: a byte now and then does not buy more time."""
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(config.header_seconds, self._give_up)

        def _stop_watching(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _give_up(self) -> None:
            if not self.transport.is_closing():
                self.transport.abort()

    return GuardedProtocol


def _unasked(status: int, words: str, *, retryable: bool = False) -> bytes:
    """An answer to what never became a request, in the shape of all others."""
    code = "unavailable" if status == 503 else "bad_request"
    body = default_error_shape(ErrorWords(status, code, words, uuid.uuid4().hex, retryable))
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    )
    if retryable:
        head += f"Retry-After: {RETRY_AFTER_SECONDS}\r\n"
    return f"{head}\r\n".encode() + content


class _Server(uvicorn.Server):
    """Says in one line where it is to be found. A second signal, whichever it is, ends at once."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in self.servers:
            for bound in listening.sockets:
                logger.info("open %s", address(*bound.getsockname()[:2]))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)


def _ignore(sig: int, frame: Any) -> None:
    pass
