"""Runs the service with uvicorn.

Adds what uvicorn lacks: a timeout for request heads and a bound on connections.
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
from collections.abc import Callable
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
from dsocr.server.route_attributes import ErrorInfo, default_error_shape

logger = logging.getLogger(__name__)

TOO_MANY_CONNECTIONS = "Too many connections are open; try again later."
HEAD_TOO_LONG = "The head of the request is longer than {} bytes."


def run(settings: Settings, host: str, port: int) -> None:
    """Serves until SIGINT or SIGTERM, then finishes the running requests.

    Raises `BadSetting` and `CannotListen`.
    """
    check_runs_dir(settings.runs_dir)
    app = create_app(settings)
    if not settings.needs_key and not is_loopback(host):
        logger.warning(
            "listening on %s without a key: anyone who can reach this port can use the service. "
            "Make one with `dsocr keys add NAME`, or set DEEPSEEK_OCR_API_KEYS.",
            host,
        )
    listener = listen(host, port)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its start messages say nothing useful
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
    server = _Server(uvicorn_config(app, settings.server, host=host, port=port))
    # uvicorn raises the signal again after a clean stop; ignored, so that the exit status is 0
    previous = {sig: signal.signal(sig, _ignore) for sig in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])
    finally:
        for sig, handler in previous.items():
            signal.signal(sig, handler)


def listen(host: str, port: int) -> socket.socket:
    """Binds the port before anything is loaded. Raises `CannotListen`."""
    try:
        [(family, *_), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "the port is already in use" if taken else error.strerror
        raise CannotListen(
            f"Cannot listen on {address(host, port)}: {reason}. Choose another --port or --host."
        ) from error


def uvicorn_config(app: FastAPI, config: ServerConfig, *, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol_class(
            config,
            lambda: app.state.service.capacity().connections.value,
            lambda: app.state.service.metrics.count_abort("deadline"),
        ),
        ws="websockets-sansio",
        server_header=False,
        access_log=False,
        log_config=None,
        h11_max_incomplete_event_size=config.max_header_bytes,
        timeout_graceful_shutdown=int(config.drain_seconds),
    )


def address(host: str, port: int) -> str:
    """The URL for a browser on this machine. Wildcard addresses become the loopback address."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def protocol_class(
    config: ServerConfig,
    max_connections: Callable[[], int],
    on_timeout: Callable[[], None] = lambda: None,
) -> type[asyncio.Protocol]:
    """uvicorn's HTTP/1.1 with a timeout for request heads and a bound on connections. `on_timeout`
    is called for each head that has begun and is not complete in time."""

    max_bytes = config.max_header_bytes

    class GuardedProtocol(H11Protocol):
        _head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            if len(self.connections) >= max_connections():
                transport.write(_raw_error(503, TOO_MANY_CONNECTIONS, retryable=True))
                transport.close()
                return
            super().connection_made(transport)
            self._start_head_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_head_timer()
            if self.transport is not None:
                super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.conn.their_state is h11.IDLE and self._head_bytes(data) > max_bytes:
                self.send_400_response(HEAD_TOO_LONG.format(max_bytes))
                return
            super().data_received(data)
            if self.conn.their_state is h11.IDLE:
                self._start_head_timer()
            else:
                self._stop_head_timer()

        def send_400_response(self, msg: str) -> None:
            """Called by uvicorn when h11 cannot parse the request, too."""
            self.transport.write(_raw_error(400, msg))
            self.transport.close()

        def _head_bytes(self, data: bytes) -> int:
            """Bytes of the head received so far. h11 checks the length of incomplete heads only."""
            before, _ = self.conn.trailing_data
            end = (before[-3:] + data).find(b"\r\n\r\n")
            return len(before) + (len(data) if end < 0 else end - len(before[-3:]))

        def _start_head_timer(self) -> None:
            """Once for each head: more bytes do not restart the timer."""
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(config.header_seconds, self._abort)

        def _stop_head_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _abort(self) -> None:
            if not self.transport.is_closing():
                if self._head_bytes(b""):
                    on_timeout()
                self.transport.abort()

    return GuardedProtocol


def _raw_error(status: int, message: str, *, retryable: bool = False) -> bytes:
    """A complete HTTP error response, for what never became a request."""
    code = "unavailable" if status == 503 else "bad_request"
    body = default_error_shape(ErrorInfo(status, code, message, uuid.uuid4().hex, retryable))
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    )
    if retryable:
        head += f"Retry-After: {RETRY_AFTER_SECONDS}\r\n"
    return f"{head}\r\n".encode() + content


class _Server(uvicorn.Server):
    """Logs its URL in one line. A second signal of any kind ends it at once."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for bound in server.sockets:
                logger.info("open %s", address(*bound.getsockname()[:2]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._open_before = set(self.server_state.connections)
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn leaves requests and lifespan to the end of the loop then
            for task in self.server_state.tasks:
                task.cancel()
            await self.lifespan.shutdown()

    async def _wait_tasks_to_complete(self) -> None:
        # uvicorn closes what was open at first; a connection that was accepted since would stay
        for connection in self.server_state.connections - self._open_before:
            connection.shutdown()
        await super()._wait_tasks_to_complete()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)


def _ignore(sig: int, frame: Any) -> None:
    pass


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """False for a request that was cancelled because the service ends without waiting for it."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
