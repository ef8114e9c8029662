"""The error response, and the error responses of a route in the OpenAPI document."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field


class ErrorDetails(BaseModel):
    code: str = Field(description="Stable, for programs")
    message: str = Field(description="For people")
    requestId: str
    retryable: bool = Field(description="Whether the same request may succeed later")


class ErrorAnswer(BaseModel):
    """The shape of every error."""

    error: ErrorDetails
    detail: str


_ERROR_DESCRIPTIONS = {
    400: "The request is malformed",
    401: "A key is required",
    403: "Web pages of this origin are not allowed",
    404: "Not found",
    408: "The body arrived too slowly",
    409: "The current state does not allow it",
    413: "Too many bytes, pixels or pages",
    415: "Not a document",
    421: "Unknown host name",
    422: "A field, or the document, is not valid",
    429: "Too many requests are waiting; nothing was started",
    503: "The engine is starting, restarting or down",
    504: "Timeout",
    507: "The disk is full",
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds to wait before the next attempt",
        "schema": {"type": "integer"},
    }
}


def error_answers(
    *statuses: int, model: type[BaseModel] = ErrorAnswer
) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, for the OpenAPI document; `model` is their shape."""
    answers: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        description = _ERROR_DESCRIPTIONS.get(status, HTTPStatus(status).phrase)
        answers[status] = {"model": model, "description": description}
        if status in (429, 503):
            answers[status]["headers"] = _RETRY_AFTER
    return answers
