"""Validates the fields that forms of documents and jobs share."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TypeVar

from fastapi import Request
from pydantic import ValidationError

from dsocr.config import Settings
from dsocr.engines.registry import canonical_name
from dsocr.errors import InvalidField
from dsocr.options import build_options
from dsocr.server.deps import Service
from dsocr.server.received.uploads import Form
from dsocr.server.schemas.ocr import OcrForm
from dsocr.types import ReadOptions

FormT = TypeVar("FormT", bound=OcrForm)

FORM_OVERHEAD_BYTES = 256 << 10
"""The most bytes of a form beside its files: boundaries, fields, the prompt."""


def max_body_bytes(request: Request, limit: int) -> int:
    """The most bytes of the request's body: its Content-Length, or `limit` if it is chunked."""
    length = request.headers.get("content-length", "")
    return min(int(length), limit) if length.isdecimal() else limit


def validate_form(kind: type[FormT], form: Form, files: Sequence[str]) -> FormT:
    """The fields as `kind`; `files` names the fields for files. An empty field counts as missing.

    Raises `InvalidField`, also for a field that is neither in `kind` nor in `files`.
    """
    _check_names(form, tuple(kind.model_fields), files)
    given = {key: value for key, value in form.fields.items() if value and key not in files}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidField(f"{first['loc'][0]}: {first['msg']}") from error


def _check_names(form: Form, texts: Sequence[str], files: Sequence[str]) -> None:
    for name in form.files:
        if name in texts:
            raise InvalidField(f"{name}: send it as text, not as a file")
        if name not in files:
            raise _unknown_field(name, files, (*files, *texts))
    for name, value in form.fields.items():
        if name in files and value:
            raise InvalidField(
                f"{name}: it has no file name, so it is text, not a file; "
                f"curl sends a file with -F {name}=@FILE"
            )
        if name not in (*files, *texts):
            raise _unknown_field(name, (*files, *texts), (*files, *texts))


def _unknown_field(name: str, nearest: Sequence[str], known: Sequence[str]) -> InvalidField:
    """The error for an unknown field; it suggests one of `nearest`."""
    spelled = name[:40].lower().replace("-", "_")
    suggested = get_close_matches(spelled, nearest, n=1, cutoff=0.0)[0]
    return InvalidField(
        f"{name[:40]}: there is no such field; the nearest is {suggested}. "
        f"Known fields: {', '.join(known)}"
    )


def options_of(fields: OcrForm, settings: Settings) -> ReadOptions:
    """Raises `InvalidField` and `UnsupportedMode`."""
    options = build_options(
        settings.option_limits(),
        prompt=fields.prompt,
        mode=fields.mode,
        max_tokens=fields.max_tokens,
        temperature=fields.temperature,
        no_repeat_ngram=fields.no_repeat_ngram,
        languages=fields.languages,
    )
    return ReadOptions(options, fields.pages, fields.password, fields.dpi)


def model_of(fields: OcrForm, service: Service) -> str | None:
    """The model or engine that the form names; None for the default one.

    Raises `InvalidField` for one that is not here, and for a model and another engine together.
    """
    models, engine = service.models, fields.engine
    if engine in ("", "auto"):
        engine = None
    if engine is not None and canonical_name(engine) not in models.engine_names:
        running = ", ".join(models.engine_names)
        raise InvalidField(f"engine: {engine[:40]!r} is not running here; {running} is")
    if fields.model in (None, "", "auto"):
        return engine
    host = models.host(fields.model)
    if engine is not None and canonical_name(engine) != host.selection.name:
        raise InvalidField(f"engine: {fields.model} runs on {host.selection.name}")
    return fields.model
