"""Rows of a table of contents: an entry, leaders, and the number of a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from dsocr.engines.ppocr.geometry import Line

_PAGE = re.compile(r"\d{1,4}|[ivxlc]{1,7}", re.IGNORECASE)
_LEADERS = re.compile(r"(?:\s*[.\u00b7\u2026]){2,}\s*$|\s+[.\u00b7\u2026]+\s*$")
_ONLY_LEADERS = re.compile(r"[\s.\u00b7\u2026_-]+")
_INSIDE = re.compile(r"\s*(?:[.\u00b7\u2026]\s?){4,}\s*(?=(?:\d{1,4}|[ivxlc]{1,7})$)")
_SMALL = 0.88  # of the entry's height: no capital is so small
_LIKE_CAPITALS = re.compile(r"[CVX]+")


def is_page_number(text: str) -> bool:
    """Whether it can be one: Arabic or Roman numerals."""
    return bool(_PAGE.fullmatch(text.strip()))


def without_leaders(lines: Sequence[Line]) -> list[Line]:
    """The lines of a row without the dots before a page's number.

    A small v, x or c is as its capital, so recognition tells them apart only by their height.
    """
    last = lines[-1]
    if len(lines) == 1:
        text = _INSIDE.sub(" ", last.text.strip())
        return [last if text == last.text.strip() else last.with_text(text)]
    if not is_page_number(last.text):
        return list(lines)
    entry = [_without_dots(line) for line in lines[:-1] if not _ONLY_LEADERS.fullmatch(line.text)]
    height = median(line.height for line in lines[:-1])
    if _LIKE_CAPITALS.fullmatch(last.text.strip()) and last.height < _SMALL * height:
        last = replace(last, text=last.text.lower())
    return [*entry, last]


def _without_dots(line: Line) -> Line:
    text = _LEADERS.sub("", line.text)
    return line if text == line.text else line.with_text(text)
