"""Tells a URL that a job is over: signed, tried again with growing pauses, and never led astray.

Off until hosts and a secret are set. Only https to hosts of the list; the address is looked up once
and that very address is connected to, so a name cannot mean one thing when it is checked and
another when it is used. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import json
import logging
import socket
import ssl
import time
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from dsocr.errors import BadRequest
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.job import Job, JobNotFound
from dsocr.jobs.store import commands, queries
from dsocr.jobs.store.database import Database

log = logging.getLogger(__name__)

SIGNATURE_HEADER = "X-Dsocr-Signature"
TIMESTAMP_HEADER = "X-Dsocr-Timestamp"
MAX_URL_CHARACTERS = 2000
_CARRIERS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")))
"""NAT64 and 6to4 addresses have an IPv4 address inside, which may be a private one."""

Resolve = Callable[[str, int], list[str]]


class CallbackRefused(BadRequest):
    """Jobs may not call back to this URL."""

    code = "callback_refused"


class Callbacks:
    """Checks callback URLs when a job comes, and calls them when it is over."""

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
        """Raises `CallbackRefused` unless the URL is one that may be called."""
        if not (self._config.callback_hosts and self._config.callback_secret):
            raise CallbackRefused("Callbacks are switched off here.")
        _parts(url, self._config)

    async def deliver_due(self) -> None:
        """Calls every callback that is due, once each."""
        while True:
            if not await self._database.read(queries.callback_due, time.time()):
                return
            due = await self._database.write(commands.take_callback, time.time())
            if due is None:
                return
            await self._deliver(*due)

    async def _deliver(self, job_id: str, url: str, attempt: int) -> None:
        try:
            job = await self._database.read(queries.job, job_id, time.time())
        except JobNotFound:
            return
        try:
            status = await asyncio.to_thread(self.post, url, body_of(job))
        except (OSError, http.client.HTTPException, CallbackRefused) as error:
            log.info("job %s: callback %d did not arrive (%s)", job_id, attempt, error)
        else:
            if 200 <= status < 300:
                await self._database.write(commands.end_callback, job_id)
                return
            log.info("job %s: callback %d was answered %d", job_id, attempt, status)
        if attempt >= self._config.callback_tries:
            log.warning("job %s: callback given up after %d tries", job_id, attempt)
            await self._database.write(commands.end_callback, job_id)

    def post(self, url: str, body: bytes) -> int:
        """The status it was answered with. Raises `OSError` and `CallbackRefused`."""
        parts = _parts(url, self._config)
        host, port = parts.hostname or "", parts.port or 443
        address = self._address(host, port)
        context = self._tls or ssl.create_default_context()
        raw = socket.create_connection((address, port), self._config.callback_seconds)
        with contextlib.closing(raw), context.wrap_socket(raw, server_hostname=host) as sock:
            connection = http.client.HTTPConnection(host, port)
            connection.sock = sock
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, self._headers(parts.netloc, body))
            return connection.getresponse().status

    def _address(self, host: str, port: int) -> str:
        addresses = self._resolve(host, port)
        if not addresses:
            raise CallbackRefused("The host has no address.")
        if not self._config.callback_private and not all(map(is_public, addresses)):
            raise CallbackRefused("The host is in a private network.")
        return addresses[0]

    def _headers(self, netloc: str, body: bytes) -> dict[str, str]:
        moment = str(int(time.time()))
        return {
            "Host": netloc,
            "Content-Type": "application/json",
            "Connection": "close",
            TIMESTAMP_HEADER: moment,
            SIGNATURE_HEADER: signature(self._config.callback_secret, moment, body),
        }


def signature(secret: str, moment: str, body: bytes) -> str:
    """`sha256=` and the HMAC of the timestamp header, a dot and the body, in hex."""
    message = moment.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


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
    """Whether an address is one of the open internet, all disguises seen through."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        elif any(parsed in network for network in _CARRIERS) or parsed.teredo:
            return False
    return parsed.is_global and not parsed.is_multicast


def _parts(url: str, config: JobsConfig) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CallbackRefused("This is not a URL.") from error
    host = (parts.hostname or "").rstrip(".").lower()
    if len(url) > MAX_URL_CHARACTERS or not url.isprintable() or " " in url:
        raise CallbackRefused("This is not a URL.")
    if parts.scheme != "https" or not host or parts.username is not None or port == 0:
        raise CallbackRefused("A callback is an https URL without a user in it.")
    if not any(_fits(host, allowed.lower()) for allowed in config.callback_hosts):
        raise CallbackRefused("Jobs may not call back to this host.")
    return parts


def _fits(host: str, allowed: str) -> bool:
    return host == allowed or (allowed.startswith("*.") and host.endswith(allowed[1:]))


def _resolve(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
