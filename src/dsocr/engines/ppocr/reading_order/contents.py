"""Rows of a table of contents: an entry, leaders, and the number of a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from dsocr.engines.ppocr.geometry import Line

_PAGE = re.compile(r"\d{1,4}|[ivxlc]{1,7}", re.IGNORECASE)
_LEADERS = re.compile(r"(?:\s*[.\u00b7\u2026]){2,}\s*$|\s+[.\u00b7\u2026]+\s*$")
_LONG_LEADERS = re.compile(r"(?:\s*[.\u00b7\u2026]){4,}\s*$")
_MIN_ENTRIES = 3
"""Lines with leaders on a page: fewer are sentences that break off."""
_SAME_ROW, _NEAR = 0.4, 2.0  # of a line's height: middles, and the gap between two lines
_ONLY_LEADERS = re.compile(r"[\s.\u00b7\u2026_-]+")
_INSIDE = re.compile(r"\s*(?:[.\u00b7\u2026]\s?){4,}\s*(?=(?:\d{1,4}|[ivxlc]{1,7})$)")
_DOTS_BEFORE = re.compile(r"^[\s.\u00b7\u2026]+(?=(?:\d{1,4}|[ivxlc]{1,7})$)")
_SMALL = 0.88  # of the entry's height: no capital is so small
_LIKE_CAPITALS = re.compile(r"[CVX]+")


def is_page_number(text: str) -> bool:
    """Whether it can be one: Arabic or Roman numerals, with the last dots before it perhaps."""
    return bool(_PAGE.fullmatch(_DOTS_BEFORE.sub("", text.strip())))


def without_leaders(lines: Sequence[Line]) -> list[Line]:
    """The lines of a row without the dots before a page's number.

    A small v, x or c is as its capital, so recognition tells them apart only by their height.
    """
    last = _without_dots_before(lines[-1])
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


def split_at_leaders(line: Line) -> list[Line]:
    """An entry and its page's number as two lines, where leaders lie between them in one."""
    leaders = _INSIDE.search(line.text.strip())
    if leaders is None:
        return [line]
    text, share = line.text.strip(), line.rect.width / max(1, len(line.text.strip()))
    ends = (line.rect.x0 + share * at for at in leaders.span())
    entry = line.part(f"{text[: leaders.start()]} ...", x0=line.rect.x0, x1=next(ends))
    return [entry, line.part(text[leaders.end() :], x0=next(ends), x1=line.rect.x1)]


def apart_from_leaders(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """The lines of a page without the leaders at their ends, and those that hold nothing else.

    Lists of dishes or parts have them on the way to their prices. A dotted rule is none.
    """
    found = [_leaders_of(line, lines) for line in lines]
    if sum(start is not None for start in found) < _MIN_ENTRIES:
        return list(lines), []
    entries = [
        line if start is None else _before(line, start)
        for line, start in zip(lines, found, strict=True)
        if start != 0
    ]
    return entries, [line for line, start in zip(lines, found, strict=True) if start == 0]


def _leaders_of(line: Line, lines: Sequence[Line]) -> int | None:
    """Where the line's leaders begin in its text; 0 where they follow an entry in another line."""
    found = _LONG_LEADERS.search(line.text)
    if found is None:
        return None
    if line.text[: found.start()].strip():
        return found.start()
    return 0 if any(_stands_before(other, line) for other in lines) else None


def _stands_before(entry: Line, leaders: Line) -> bool:
    gap = leaders.rect.x0 - entry.rect.x1
    height = leaders.height
    is_level = abs(entry.rect.centre_y - leaders.rect.centre_y) < _SAME_ROW * height
    return is_level and abs(gap) < _NEAR * height and any(map(str.isalpha, entry.text))


def _before(line: Line, start: int) -> Line:
    x1 = line.rect.x0 + line.rect.width * start / len(line.text)
    return line.part(line.text[:start], x0=line.rect.x0, x1=x1)


def _without_dots_before(line: Line) -> Line:
    text = _DOTS_BEFORE.sub("", line.text.strip())
    return line if text == line.text.strip() else line.with_text(text)


def _without_dots(line: Line) -> Line:
    text = _LEADERS.sub("", line.text)
    return line if text == line.text else line.with_text(text)
