"""Callbacks: a signed POST to a URL when a job is finished, retried with growing pauses.

Off until hosts and a secret are set. Only https, only to hosts of the list. The host is resolved
once and the checked address is the one connected to, so a second DNS answer cannot lead to another
address. Redirects are not followed. An attempt ends in time, however slowly the host answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import ipaddress
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import SplitResult, urlsplit

from dsocr.errors import BadRequest
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.job import Job, JobNotFound
from dsocr.jobs.store import callbacks, queries
from dsocr.jobs.store.callbacks import DueCallback
from dsocr.jobs.store.database import Database
from dsocr.jobs.webhook_signature import signed_headers

log = logging.getLogger(__name__)

MAX_URL_CHARACTERS = 2000
_EMBEDDING = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")))
"""NAT64 and 6to4 addresses embed an IPv4 address, which may be private."""

Resolve = Callable[[str, int], list[str]]


class CallbackRefused(BadRequest):
    """Jobs may not call back to this URL."""

    code = "callback_refused"


class Callbacks:
    """Checks callback URLs when a job is submitted, and calls them when it is finished."""

    def __init__(
        self,
        database: Database,
        config: JobsConfig,
        *,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._database = database
        self._config = config
        self._resolve = resolve or _resolve
        self._tls = tls

    def check(self, url: str) -> None:
        """Raises `CallbackRefused` for a URL that may not be called."""
        if not (self._config.callback_hosts and self._config.callback_secret):
            raise CallbackRefused(
                "Callbacks are switched off: the service has no callback hosts or no secret."
            )
        _parts(url, self._config)

    async def deliver_due(self) -> None:
        """Sends callbacks until none is due."""
        while await self._database.read(callbacks.is_due, time.time()):
            due = await self._database.write(callbacks.claim, time.time())
            if due is None:
                return
            await self._deliver(due)

    async def _deliver(self, due: DueCallback) -> None:
        try:
            job = await self._database.read(queries.job, due.job_id, time.time())
        except JobNotFound:
            return
        if await self._send(due, job):
            await self._database.write(callbacks.end, due.job_id)
        elif due.attempt >= self._config.callback_tries:
            log.warning("job %s: callback failed %d times, no more tries", job.id, due.attempt)
            await self._database.write(callbacks.end, due.job_id)

    async def _send(self, due: DueCallback, job: Job) -> bool:
        """Whether it was answered with a 2xx status."""
        try:
            status = await asyncio.to_thread(self.post, due.url, body_of(job), message_id(job))
        except (OSError, http.client.HTTPException, CallbackRefused) as error:
            log.info("job %s: callback attempt %d failed (%s)", job.id, due.attempt, error)
            return False
        if 200 <= status < 300:
            return True
        log.info("job %s: callback attempt %d got status %d", job.id, due.attempt, status)
        return False

    def post(self, url: str, body: bytes, message_id: str) -> int:
        """The status of the response. Raises `OSError` and `CallbackRefused`."""
        parts = _parts(url, self._config)
        host, port = parts.hostname or "", parts.port or 443
        address = self._address(host, port)
        context = self._tls or ssl.create_default_context()
        deadline = time.monotonic() + self._config.callback_seconds
        raw = socket.create_connection((address, port), self._config.callback_seconds)
        with contextlib.closing(raw), connected_until(deadline, raw, host, context) as sock:
            connection = http.client.HTTPConnection(host, port)
            connection.sock = sock
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = self._headers(parts.netloc, body, message_id)
            connection.request("POST", path, body, headers)
            return connection.getresponse().status

    def _address(self, host: str, port: int) -> str:
        addresses = self._resolve(host, port)
        if not addresses:
            raise CallbackRefused("The host of the callback has no address.")
        if not self._config.callback_private and not all(map(is_public, addresses)):
            raise CallbackRefused("The host of the callback is in a private network.")
        return addresses[0]

    def _headers(self, netloc: str, body: bytes, message_id: str) -> dict[str, str]:
        return {
            "Host": netloc,
            "Content-Type": "application/json",
            "Connection": "close",
            **signed_headers(self._config.callback_secret, message_id, int(time.time()), body),
        }


@contextlib.contextmanager
def connected_until(
    deadline: float, raw: socket.socket, host: str, context: ssl.SSLContext
) -> Iterator[socket.socket]:
    """The connection under TLS. It is shut down at the deadline, a time of `time.monotonic`,
    whatever its host sends slowly. Raises `OSError`, also for an answer that ends there: it may
    look complete."""
    sock = context.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    with sock:
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), _shut_down, [sock])
        timer.daemon = True
        timer.start()
        try:
            sock.do_handshake()
            yield sock
            if time.monotonic() >= deadline:
                raise TimeoutError("the answer was cut off at the deadline")
        finally:
            timer.cancel()


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's, which waits for the host


def message_id(job: Job) -> str:
    """The same for all attempts of one callback, another one when the job finishes again."""
    return f"{job.id}-{round((job.finished_at or 0) * 1000)}"


def body_of(job: Job) -> bytes:
    return json.dumps(
        {
            "jobId": job.id,
            "status": job.status,
            "pagesTotal": job.pages_total,
            "pagesDone": job.pages_done,
            "pagesFailed": job.pages_failed,
        }
    ).encode()


def is_public(address: str) -> bool:
    """Whether an address is a public one, judged by the IPv4 address that it may embed."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        elif any(parsed in network for network in _EMBEDDING) or parsed.teredo:
            return False
    return parsed.is_global and not parsed.is_multicast


def _parts(url: str, config: JobsConfig) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CallbackRefused("The callback is not a URL.") from error
    host = (parts.hostname or "").rstrip(".").lower()
    if len(url) > MAX_URL_CHARACTERS or not url.isprintable() or " " in url:
        raise CallbackRefused("The callback is not a URL.")
    if parts.scheme != "https" or not host or parts.username is not None or port == 0:
        raise CallbackRefused("The callback must be an https URL without a user name.")
    if not any(_fits(host, allowed.lower()) for allowed in config.callback_hosts):
        raise CallbackRefused("The host of the callback is not in the list of callback hosts.")
    return parts


def _fits(host: str, allowed: str) -> bool:
    return host == allowed or (allowed.startswith("*.") and host.endswith(allowed[1:]))


def _resolve(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
