"""Errors in the shape of the OpenAI API."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic import BaseModel, Field

from dsocr.server.route_attributes import ErrorInfo, error_shape
from dsocr.server.schemas import errors as schemas


class OpenaiErrorDetails(BaseModel):
    message: str
    type: str
    param: str | None
    code: str = Field(description="As in the service's own errors")


class OpenaiErrorAnswer(BaseModel):
    """The shape of the errors of the OpenAI API."""

    error: OpenaiErrorDetails


_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}


def openai_error(error: ErrorInfo) -> dict[str, Any]:
    """What the `openai` package turns into an `APIStatusError`."""
    other = "server_error" if error.status >= 500 else "invalid_request_error"
    kind = _TYPES.get(error.status, other)
    details = {"message": error.message, "type": kind, "param": error.field, "code": error.code}
    return {"error": details}


openai_errors = error_shape(openai_error)
error_answers = partial(schemas.error_answers, model=OpenaiErrorAnswer)
