"""What the forms of documents and jobs have in common: their words, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from fastapi import Request
from pydantic import ValidationError

from dsocr.config import Settings
from dsocr.engines.registry import canonical_name
from dsocr.errors import InvalidField
from dsocr.options import build_options
from dsocr.server.deps import Service
from dsocr.server.schemas import OcrForm
from dsocr.types import OcrOptions

FormT = TypeVar("FormT", bound=OcrForm)

FORM_OVERHEAD_BYTES = 256 << 10
"""What a form may weigh beside its files: boundaries, fields, the prompt."""


def announced_bytes(request: Request, most: int) -> int:
    """What the request will bring at most; a chunked one may bring all that is allowed."""
    announced = request.headers.get("content-length", "")
    return min(int(announced), most) if announced.isdecimal() else most


def checked(kind: type[FormT], fields: Mapping[str, str]) -> FormT:
    """The form's words; an empty field is one that was not sent."""
    try:
        return kind.model_validate({key: value for key, value in fields.items() if value})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidField(f"{first['loc'][0]}: {first['msg']}") from error


def options_of(fields: OcrForm, settings: Settings) -> OcrOptions:
    return build_options(
        settings.option_limits(),
        prompt=fields.prompt,
        mode=fields.mode,
        max_tokens=fields.max_tokens,
        temperature=fields.temperature,
        no_repeat_ngram=fields.no_repeat_ngram,
    )


def check_engine(wanted: str | None, service: Service) -> None:
    running = service.host.selection.name
    if wanted is not None and canonical_name(wanted) not in ("auto", running):
        raise InvalidField(f"engine: {wanted[:40]!r} is not running here; {running} is")
