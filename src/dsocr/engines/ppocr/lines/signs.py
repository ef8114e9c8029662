"""Signs that the recognizer takes for others, where those cannot stand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dsocr.engines.ppocr.geometry import Line

_SIGNS = (
    (re.compile("\u00bd4"), "\u00bc"),  # a half and 4: a quarter
    (re.compile(r"(?<=\d)(\s?)%[o0](?![\w%])"), "\\1\u2030"),  # per mille
)


def with_signs(lines: Sequence[Line]) -> list[Line]:
    return [_with_signs(line) for line in lines]


def _with_signs(line: Line) -> Line:
    text = line.text
    for sign, right in _SIGNS:
        text = sign.sub(right, text)
    return line if text == line.text else line.with_text(text)
