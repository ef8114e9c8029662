"""What both clients do around their HTTP library: its settings, and its errors as ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx

from dsocr import __version__
from dsocr.client.errors import ServiceUnreachable
from dsocr.errors import BadRequest

DEFAULT_URL = "http://127.0.0.1:8000"
RECONNECT_SECONDS = 120.0
"""How long a lost connection to the events of a job is tried again."""
POLL_SECONDS = 0.5

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def connection_settings(url: str, key: str | None) -> dict[str, Any]:
    """Arguments of an HTTP client. Raises `BadRequest` for what is not the URL of a service."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadRequest(f"{url} is not a URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadRequest(f"{url} is not the URL of a service; it begins with http:// or https://.")
    headers = {"User-Agent": f"dsocr/{__version__}"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": url.rstrip("/"), "headers": headers}


@contextlib.contextmanager
def errors_of(url: str) -> Iterator[None]:
    """Turns an error of the HTTP library into `ServiceUnreachable`."""
    try:
        yield
    except httpx.HTTPError as error:
        sent = not isinstance(error, _NOT_SENT)
        raise unreachable(url, sent=sent) from error


def unreachable(url: str, *, sent: bool) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"There is no answer from {url}. Is `dsocr serve` running?", sent=sent
    )
