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
_TEN = "\u5341"
"""The Chinese numeral, which looks like a plus sign."""


def with_signs(lines: Sequence[Line]) -> list[Line]:
    return [_with_signs(line) for line in lines]


def _with_signs(line: Line) -> Line:
    text = line.text.replace(_TEN, "+") if _is_ascii_but_ten(line.text) else line.text
    for sign, right in _SIGNS:
        text = sign.sub(right, text)
    return line if text == line.text else line.with_text(text)


def _is_ascii_but_ten(text: str) -> bool:
    return _TEN in text and len(text) > 1 and text.replace(_TEN, "").isascii()
