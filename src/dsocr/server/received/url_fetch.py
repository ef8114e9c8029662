"""Fetches a document from a URL that a client names, without reaching what the client may not.

Off until hosts are set. Only https, only hosts of the list. Each host is resolved once, all its
addresses must be public, and the checked address is the one connected to, so a second DNS answer
cannot lead elsewhere. A redirect is a new URL with the same checks. Size, time and type are
bounded.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from dsocr.config import MIB, ServerConfig
from dsocr.errors import BadRequest, TooLarge
from dsocr.jobs.webhooks import connected_until, is_public

MAX_REDIRECTS = 3
MAX_URL_CHARACTERS = 4000
MAX_SHOWN = 200
"""Characters of a redirect's target in a message."""
CHUNK_BYTES = 1 << 16
TYPES = ("image/", "application/pdf", "application/octet-stream", "binary/octet-stream")
_REDIRECTS = (301, 302, 303, 307, 308)


class UrlRefused(BadRequest):
    """The service may not fetch this URL."""

    code = "url_refused"


class UrlFailed(BadRequest):
    """The document could not be fetched from its URL."""

    code = "url_failed"


def is_url(text: str) -> bool:
    """Whether it is a URL of another host, not data."""
    return text[:8].lower().startswith(("http://", "https://"))


def fetch(url: str, path: Path, config: ServerConfig) -> str:
    """Writes the document to `path`, and returns its name. Blocks.

    Raises `UrlRefused`, `UrlFailed`, `TooLarge`, and `OSError` if the file cannot be written.
    """
    deadline = time.monotonic() + config.url_seconds
    for number in range(MAX_REDIRECTS + 1):
        try:
            parts = _checked(url, config)
            location = _fetch_one(parts, path, config, deadline)
        except (UrlRefused, UrlFailed) as error:
            if number == 0:
                raise
            raise _after_redirect(error, url) from error
        if location is None:
            return unquote(parts.path.rpartition("/")[2]) or "document"
        url = urljoin(url, location)
    raise UrlFailed(
        f"The URL redirects more than {MAX_REDIRECTS} times; send the URL that it ends at."
    )


def _after_redirect(error: UrlRefused | UrlFailed, url: str) -> UrlRefused | UrlFailed:
    """The error of a URL that another one redirects to, with the origin of the target. Its path
    may be a secret of the host."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:MAX_SHOWN]
        if parts.netloc and origin.isascii() and origin.isprintable():
            return type(error)(f"The URL redirects to {origin}: {error.message}")
    return type(error)(f"The URL redirects to another one: {error.message}")


def _checked(url: str, config: ServerConfig) -> SplitResult:
    if not config.url_hosts:
        raise UrlRefused(
            "This service does not fetch URLs; send the file itself or a data URL. "
            "DEEPSEEK_OCR_SERVER__URL_HOSTS allows hosts."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlRefused("This is not a URL.") from error
    host = (parts.hostname or "").rstrip(".").lower()
    if len(url) > MAX_URL_CHARACTERS or not (url.isascii() and url.isprintable()) or " " in url:
        raise UrlRefused("This is not a URL.")
    if parts.scheme != "https" or not host or parts.username is not None or port == 0:
        raise UrlRefused("Only https URLs without a user name are fetched.")
    if not any(_fits(host, allowed.lower()) for allowed in config.url_hosts):
        raise UrlRefused("The host of the URL is not in the list of allowed hosts.")
    return parts


def _fits(host: str, allowed: str) -> bool:
    if allowed == "*" or host == allowed:
        return True
    return allowed.startswith("*.") and host.endswith(allowed[1:])


def _fetch_one(parts: SplitResult, path: Path, config: ServerConfig, deadline: float) -> str | None:
    """The target of a redirect; None: the document is written."""
    host, port = parts.hostname or "", parts.port or 443
    address = _address(host, port, config)
    try:
        raw = socket.create_connection((address, port), _left(deadline))
        with (
            contextlib.closing(raw),
            connected_until(deadline, raw, host, tls_context()) as sock,
        ):
            connection = http.client.HTTPConnection(host, port)
            connection.sock = sock
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers=_headers(parts))
            response = connection.getresponse()
            if response.status in _REDIRECTS and response.headers["Location"]:
                return str(response.headers["Location"])
            _check_response(response, config)
            _write(response, path, config)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        if time.monotonic() >= deadline:
            raise UrlFailed("The host of the URL is too slow.") from error
        raise UrlFailed("The document could not be fetched from its URL.") from error
    return None


def _address(host: str, port: int, config: ServerConfig) -> str:
    try:
        addresses = resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise UrlFailed("The host of the URL has no address.") from error
    if not addresses:
        raise UrlFailed("The host of the URL has no address.")
    if not config.url_private and not all(map(is_public, addresses)):
        raise UrlRefused("The host of the URL is in a private network.")
    return addresses[0]


def resolve(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _headers(parts: SplitResult) -> dict[str, str]:
    return {
        "Host": parts.netloc,
        "Accept": "image/*, application/pdf",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "dsocr",
    }


def _check_response(response: http.client.HTTPResponse, config: ServerConfig) -> None:
    if response.status != 200:
        raise UrlFailed(f"The host of the URL answered {response.status}.")
    kind = (response.headers["Content-Type"] or TYPES[-1]).strip().lower()
    if not kind.startswith(TYPES):
        raise UrlRefused("The URL has neither an image nor a PDF.")
    if (response.headers["Content-Encoding"] or "identity").lower() != "identity":
        raise UrlRefused("The document of the URL is compressed.")
    if response.length is not None and response.length > config.url_mb * MIB:
        raise _too_large(config)


def _write(response: http.client.HTTPResponse, path: Path, config: ServerConfig) -> None:
    size = 0
    with path.open("wb") as file:
        while chunk := response.read1(CHUNK_BYTES):
            size += len(chunk)
            if size > config.url_mb * MIB:
                raise _too_large(config)
            file.write(chunk)
    if response.length:
        raise UrlFailed("The document was cut off while it was fetched.")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise UrlFailed("The host of the URL is too slow.")
    return left


def _too_large(config: ServerConfig) -> TooLarge:
    return TooLarge(f"The document of the URL is larger than {config.url_mb:.4g} MiB.")
