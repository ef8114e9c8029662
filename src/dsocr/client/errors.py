"""Errors of the client: no answer, or an error that the service answered with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2 as httpx

from dsocr.errors import DsocrError


class ClientError(DsocrError):
    """A call to the service failed."""


class ServiceUnreachable(ClientError):
    """The service cannot be reached. `sent`: whether the request may have reached it."""

    code = "unreachable"
    retryable = True

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class ServiceError(ClientError):
    """The service answered with an error. `code` is that of docs/api.md."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        """None for an error that was sent as an event."""
        self.request_id = request_id
        """Also in the log of the service."""
        self.retryable = retryable
        self.retry_after = retry_after
        """Seconds that the service asks to wait."""


class InvalidRequest(ServiceError):
    """The request or its document cannot be used: a broken file, an invalid field."""


class Unauthorized(ServiceError):
    """The key is missing or wrong, or this may not be done from here."""


class NotFound(ServiceError):
    """There is no such job or page."""


class Conflict(ServiceError):
    """The state of the job or page does not allow it."""


class RequestTooLarge(ServiceError):
    """The document has too many bytes, pixels or pages."""


class Overloaded(ServiceError):
    """Too much is waiting; nothing was started."""


class Unavailable(ServiceError):
    """The service or its engine cannot answer at present."""


_BY_STATUS: dict[int, type[ServiceError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    413: RequestTooLarge,
    429: Overloaded,
}
_BY_CODE: dict[str, type[ServiceError]] = {
    "queue_full": Overloaded,
    "engine_unavailable": Unavailable,
    "engine_crash": Unavailable,
    "remote_failed": Unavailable,
    "bad_checkpoint": Unavailable,
    "timeout": Unavailable,
    "internal": Unavailable,
    "disk_full": Unavailable,
    "store_unavailable": Unavailable,
    "too_large": RequestTooLarge,
    "too_many_pixels": RequestTooLarge,
    "too_many_pages": RequestTooLarge,
}
_RETRYABLE_STATUSES = (429, 502, 503, 504)


@contextlib.contextmanager
def understood() -> Iterator[None]:
    """Turns content that is none of this API into `ServiceError`."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceError(
            "unexpected",
            "The answer is none of the dsocr API. Is this the URL of a dsocr service, and is the "
            "service of the version of this client?",
        ) from error


def error_of_response(response: httpx.Response) -> ServiceError:
    """The error that a response whose body was read stands for."""
    status = response.status_code
    try:
        error = response.json()["error"]
        code, message = str(error["code"]), str(error["message"])
        request_id, retryable = error.get("requestId"), bool(error.get("retryable"))
    except (ValueError, KeyError, TypeError, AttributeError):
        code = "unexpected"
        message = f"{response.url} answered {status}; is it the URL of a dsocr service?"
        request_id, retryable = response.headers.get("x-request-id"), status in _RETRYABLE_STATUSES
    return _class_of(status)(
        code,
        message,
        status=status,
        request_id=request_id,
        retryable=retryable,
        retry_after=seconds_of(response.headers.get("retry-after")),
    )


def error_of_event(data: Any) -> ServiceError:
    """The error of an event `error`, which has no status."""
    error = data["error"]
    code = str(error["code"])
    return _BY_CODE.get(code, InvalidRequest)(
        code,
        str(error["message"]),
        request_id=error.get("requestId"),
        retryable=bool(error.get("retryable")),
    )


def seconds_of(retry_after: str | None) -> float | None:
    """The header Retry-After, a number of seconds or a date, in seconds from now."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        then = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    now = datetime.now(then.tzinfo or timezone.utc).replace(tzinfo=then.tzinfo)
    return max(0.0, (then - now).total_seconds())


def _class_of(status: int) -> type[ServiceError]:
    return _BY_STATUS.get(status, Unavailable if status >= 500 else InvalidRequest)
