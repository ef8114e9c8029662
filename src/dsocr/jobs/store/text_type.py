"""Text that every database can store and that comes back as it was stored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String as PlainString
from sqlalchemy import Text as PlainText
from sqlalchemy.types import TypeDecorator

REPLACEMENT = "\ufffd"


class _Storable(TypeDecorator[str]):
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else storable(value)


class String(_Storable):
    impl = PlainString
    cache_ok = True


class Text(_Storable):
    impl = PlainText
    cache_ok = True


def storable(text: str) -> str:
    """The text with U+FFFD for NUL, which PostgreSQL refuses, and for lone surrogates, which have
    no UTF-8."""
    if "\0" in text:
        text = text.replace("\0", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(REPLACEMENT if "\ud800" <= sign <= "\udfff" else sign for sign in text)
    return text
