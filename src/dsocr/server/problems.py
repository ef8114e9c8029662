"""Errors as HTTP responses: the status of each error class, and the handlers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from dsocr import errors
from dsocr.errors import DsocrError
from dsocr.jobs.deadline import JobTimeout
from dsocr.jobs.job import (
    IdempotencyConflict,
    JobConflict,
    JobNotFound,
    JobReadOnly,
    PageNotFound,
    PageNotRead,
    VersionNotFound,
)
from dsocr.jobs.webhooks import CallbackRefused
from dsocr.server.received.url_fetch import UrlFailed, UrlRefused
from dsocr.server.route_attributes import ErrorInfo, error_shape_of, methods_of
from dsocr.types import PageFailure

logger = logging.getLogger(__name__)


class Unauthorized(DsocrError):
    """A key is required, or the given key is not valid. Send one as `Authorization: Bearer`."""

    code = "unauthorized"


class ForeignOrigin(DsocrError):
    """Web pages of this origin are not allowed to use the service."""

    code = "foreign_origin"


class UnknownHost(DsocrError):
    """The service does not accept requests for this host name."""

    code = "unknown_host"


class SlowUpload(DsocrError):
    """The request body arrived too slowly."""

    code = "slow_upload"
    retryable = True


class EncodedBody(DsocrError):
    """The request body is compressed. Send it without Content-Encoding."""

    code = "encoded_body"


class PageFailed(DsocrError):
    """No page of the document could be recognized."""

    def __init__(self, failure: PageFailure) -> None:
        super().__init__(failure.message)
        self.code = failure.code
        self.retryable = failure.retryable


class NotFound(DsocrError):
    """There is nothing with this id."""

    code = "not_found"


class MetricsOff(DsocrError):
    """Metrics need the package prometheus-client: pip install 'dsocr[metrics]'."""

    code = "metrics_off"


class McpOff(DsocrError):
    """MCP needs the package mcp: pip install 'dsocr[mcp]'."""

    code = "mcp_off"


class ClientDisconnected(Exception):
    """The client disconnected before the response."""


STATUS: dict[type[DsocrError], int] = {
    DsocrError: 500,
    errors.BadRequest: 400,
    errors.InvalidField: 422,
    errors.BadImage: 422,
    errors.BadPdf: 422,
    errors.PasswordRequired: 422,
    errors.NoText: 422,
    errors.UnsupportedTask: 422,
    errors.UnsupportedMode: 422,
    errors.ContextTooLong: 422,
    errors.NotADocument: 415,
    errors.TooLarge: 413,
    errors.TooManyPixels: 413,
    errors.TooManyPages: 413,
    errors.PageTimeout: 504,
    JobTimeout: 504,
    errors.QueueFull: 429,
    errors.EngineUnavailable: 503,
    errors.EngineCrashed: 503,
    errors.BadCheckpoint: 503,
    errors.RemoteFailed: 502,
    errors.DiskFull: 507,
    errors.StoreUnavailable: 503,
    JobNotFound: 404,
    PageNotFound: 404,
    PageNotRead: 404,
    VersionNotFound: 404,
    JobReadOnly: 403,
    JobConflict: 409,
    IdempotencyConflict: 409,
    CallbackRefused: 422,
    UrlRefused: 422,
    UrlFailed: 422,
    Unauthorized: 401,
    ForeignOrigin: 403,
    UnknownHost: 421,
    SlowUpload: 408,
    EncodedBody: 415,
    MetricsOff: 404,
    McpOff: 404,
    NotFound: 404,
}

_STATUS_OF_CODE = {kind.code: status for kind, status in STATUS.items()}
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}
_HTTP_MESSAGES = {
    404: "There is nothing at this path. Check the address; /openapi.json lists the routes.",
    405: "This path is answered to another method; /openapi.json lists the routes.",
}
RETRY_AFTER_SECONDS = 5


def status_of(error: DsocrError) -> int:
    """By the nearest class of the error in `STATUS`; for `PageFailed` by its code."""
    if isinstance(error, PageFailed):
        return _STATUS_OF_CODE.get(error.code, 500)
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def request_id_of(scope: Mapping[str, Any]) -> str:
    identity: str = scope.get("state", {}).get("request_id", "")
    return identity


def error_body(error: DsocrError, scope: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of an error, in the shape of the request's route."""
    return _shaped(scope, status_of(error), error.code, _public_message(error), error.retryable)


def _public_message(error: DsocrError) -> str:
    """Without the addresses of the database and the storage, which are for the log."""
    hidden = isinstance(error, errors.StoreUnavailable)
    return errors.StoreUnavailable().message if hidden else error.message


def response_of(error: DsocrError, scope: Mapping[str, Any]) -> JSONResponse:
    """An error as a response. Its attribute `retry_after`, in seconds, becomes a header."""
    status = status_of(error)
    scope.get("state", {})["error_code"] = error.code  # for the metrics
    return JSONResponse(error_body(error, scope), status, headers=_headers(status, error))


def _shaped(
    scope: Mapping[str, Any], status: int, code: str, message: str, retryable: bool = False
) -> dict[str, Any]:
    info = ErrorInfo(status, code, message, request_id_of(scope), retryable)
    return error_shape_of(scope)(info)


def internal_error(scope: Mapping[str, Any]) -> JSONResponse:
    """For a bug: the traceback is in the log, under the request id that the client gets."""
    return response_of(DsocrError("Internal error; the server log has the details."), scope)


def install(app: FastAPI) -> None:
    """Adds handlers, so that every error has the shape of its route."""
    app.add_exception_handler(DsocrError, _on_dsocr_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)


async def _on_dsocr_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DsocrError)
    if type(error) is DsocrError:
        logger.error("request %s failed", request_id_of(request.scope), exc_info=error)
        return internal_error(request.scope)
    if isinstance(error, errors.StoreUnavailable):
        logger.warning("request %s: %s", request_id_of(request.scope), error.message)
    return response_of(error, request.scope)


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "bad_request")
    message = _HTTP_MESSAGES.get(error.status_code)
    message = message or HTTPStatus(error.status_code).description or str(error.detail)
    body = _shaped(request.scope, error.status_code, code, message)
    headers = dict(error.headers or {})
    if error.status_code == 405:  # the framework names the methods of one route alone
        headers["Allow"] = ", ".join(methods_of(request.scope))
    return JSONResponse(body, error.status_code, headers=headers)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or "request"
    return response_of(errors.InvalidField(f"{field}: {first['msg']}"), request.scope)


def _headers(status: int, error: DsocrError) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if status in (429, 503):
        return {"Retry-After": str(getattr(error, "retry_after", RETRY_AFTER_SECONDS))}
    return {}
