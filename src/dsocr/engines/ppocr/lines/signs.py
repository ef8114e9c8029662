"""Signs that the recognizer takes for others, where those cannot stand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dsocr.engines.ppocr.geometry import Line

_SIGNS = (
    (re.compile("\u00bd4"), "\u00bc"),  # a half and 4: a quarter
    (re.compile(r"(?<=\d)(\s?)%[o0](?![\w%])"), "\\1\u2030"),  # per mille
    (re.compile(r"(?<=[\w.+-])(?: @|@ | @ )(?=[\w-]+\.[a-z]{2,}\b)"), "@"),  # a mail address
)
_DOLLAR = r"(?<!\w)S(?=(?:%s)(?!\w|[.,]\d))"
_AMOUNT = r"0\.\d\d|\d{1,3}(?:,\d{3})+(?:\.\d\d)?"
_SURE_DOLLAR = re.compile(_DOLLAR % _AMOUNT)
_PAGE_DOLLAR = re.compile(_DOLLAR % rf"{_AMOUNT}|\d+\.\d\d")
"""Where other amounts of the page are in dollars: S2.10 may be a section elsewhere."""
_IN_DOLLARS = re.compile(r"\$ ?\d")
_AE = re.compile(r"\bAE(?=[a-z\u00df-\u00ff]{3})")
_NORDIC = frozenset("\u00e6\u00f8\u00d8\u00e5\u00c5\u00fe\u00f0")
_TEN = "\u5341"
"""The Chinese numeral, which looks like a plus sign."""


def with_signs(lines: Sequence[Line]) -> list[Line]:
    in_dollars = any(_IN_DOLLARS.search(line.text) for line in lines)
    dollar = _PAGE_DOLLAR if in_dollars else _SURE_DOLLAR
    is_nordic = any(not _NORDIC.isdisjoint(line.text) for line in lines)
    replaced = [(dollar, "$"), *([(_AE, "\u00c6")] if is_nordic else [])]
    return [_with_signs(line, [*_SIGNS, *replaced]) for line in lines]


def _with_signs(line: Line, signs: Sequence[tuple[re.Pattern[str], str]]) -> Line:
    text = line.text.replace(_TEN, "+") if _is_ascii_but_ten(line.text) else line.text
    for sign, right in signs:
        text = sign.sub(right, text)
    return line if text == line.text else line.with_text(text)


def _is_ascii_but_ten(text: str) -> bool:
    return _TEN in text and len(text) > 1 and text.replace(_TEN, "").isascii()
