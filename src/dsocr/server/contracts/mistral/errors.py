"""Errors in the shape of the Mistral API."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic import BaseModel, Field

from dsocr.server.route_attributes import ErrorInfo, error_shape
from dsocr.server.schemas import errors as schemas


class MistralErrorDetail(BaseModel):
    """What the `mistralai` package reads of a 422."""

    loc: list[str]
    msg: str
    type: str


class MistralErrorAnswer(BaseModel):
    """The shape of the errors of the Mistral API."""

    object: str
    message: str
    type: str
    param: str | None
    code: str = Field(description="As in the service's own errors")
    detail: list[MistralErrorDetail] | None = Field(None, description="With status 422 alone")


def mistral_error(error: ErrorInfo) -> dict[str, Any]:
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    body: dict[str, Any] = {
        "object": "error",
        "message": error.message,
        "type": kind,
        "param": error.field,
        "code": error.code,
    }
    if error.status == 422:
        location = ["body", *([error.field] if error.field else [])]
        body["detail"] = [{"loc": location, "msg": error.message, "type": error.code}]
    return body


mistral_errors = error_shape(mistral_error)
error_answers = partial(schemas.error_answers, model=MistralErrorAnswer)
