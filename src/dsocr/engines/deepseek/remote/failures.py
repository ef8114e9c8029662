"""How a server can fail, by the status and the body of its answer."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping

from dsocr.errors import ContextTooLong, DsocrError, RemoteFailed

DEFAULT_REST_SECONDS = 1.0
MIN_REST_SECONDS = 0.1
MAX_REST_SECONDS = 120.0
_CONTEXT_WORDS = ("context length", "context size", "maximum model length", "max_model_len")


class ServerFailed(Exception):
    """A server did not read a page that another one may read. The message is for the log: it may
    have what the server says."""

    def __init__(
        self,
        message: str,
        *,
        by_page: bool = False,
        final: bool = False,
        rest_seconds: float | None = None,
        outcome: str = "failed",
    ) -> None:
        """`by_page`: the page itself may be the cause. `final`: the server fails every page until
        it is changed. `rest_seconds`: it is busy and asks for so much time."""
        super().__init__(message)
        self.by_page, self.final, self.rest_seconds = by_page, final, rest_seconds
        self.outcome = outcome


def failure_of(status: int, headers: Mapping[str, str], body: str) -> ServerFailed | DsocrError:
    """What a response with an error status means."""
    if status in (429, 503):
        seconds = rest_seconds(headers.get("retry-after"))
        return ServerFailed(f"it is busy ({status})", rest_seconds=seconds, outcome="busy")
    if status in (401, 403):
        return ServerFailed("it refuses the API key", final=True)
    if status == 404:
        return ServerFailed("it has no such model or route", final=True)
    if status in (400, 413, 422):
        if any(words in body.lower() for words in _CONTEXT_WORDS):
            return ContextTooLong()
        return RemoteFailed(f"The model's server refused the page (status {status}).")
    return ServerFailed(f"it answered with status {status}: {body[:200]}", by_page=True)


def rest_seconds(retry_after: str | None) -> float:
    """Seconds of a `Retry-After` header, which has a number or a date."""
    if not retry_after:
        return DEFAULT_REST_SECONDS
    try:
        seconds = float(retry_after)
    except ValueError:
        date = email.utils.parsedate_tz(retry_after)
        if date is None:
            return DEFAULT_REST_SECONDS
        seconds = email.utils.mktime_tz(date) - time.time()
    return min(MAX_REST_SECONDS, max(MIN_REST_SECONDS, seconds))
