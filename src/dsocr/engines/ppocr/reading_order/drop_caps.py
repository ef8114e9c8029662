"""Joins a paragraph's drop cap to the first of the rows beside it.

Detection finds the large letter as a line of its own beside the rows that it spans, where the
reading order cannot tell to which of them it belongs. A text layer has it in its row, whose box
then spans the rows below too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from dsocr.engines.ppocr.geometry import Line, Rect

_MIN_HEIGHT = 1.8  # of the row beside it
_MAX_DISTANCE = 1.5  # of its own height, to the start of the row
_MIN_ROWS = 2
_MIN_CHARACTERS = 12
_MAX_OVERLAP = 0.1  # of its width: more, and the row was recognized with a part of the letter
_CAP_WIDTH = 0.5, 6.0
"""How far rows beside a drop cap begin right of it, in heights of a row."""
_PITCH = 1.25  # of a row's height, where one row alone is beside the letter
_FRAGMENT = re.compile(r"^\S\s+")
_QUOTES = "\"'\u201c\u201e\u2018\u00ab"


def with_drop_caps(lines: Sequence[Line]) -> list[Line]:
    """The lines in their order, each drop cap joined to the row that it begins."""
    lines = [_with_height_of_row(line, lines) if line.from_layer else line for line in lines]
    rows = {id(cap): row for cap in lines if _is_letter(cap) and (row := _first_row(cap, lines))}
    caps = {id(row): cap for cap in lines if (row := rows.get(id(cap)))}
    return [
        _with_cap(caps[id(line)], line) if id(line) in caps else line
        for line in lines
        if id(line) not in rows
    ]


def _with_height_of_row(line: Line, lines: Sequence[Line]) -> Line:
    """The line; one that begins with a drop cap in the box of its row, above those beside it."""
    beside = sorted(
        (other.rect for other in lines if _is_beside_cap_of(line, other)), key=lambda rect: rect.y0
    )
    if not beside:
        return line
    height = median(rect.height for rect in beside)
    pitch = beside[1].y0 - beside[0].y0 if len(beside) > 1 else _PITCH * height
    top = beside[0].y0 - pitch
    if top < line.rect.y0 - height:
        return line
    return replace(line, rect=Rect(line.rect.x0, top, line.rect.x1, top + height))


def _is_beside_cap_of(line: Line, other: Line) -> bool:
    """Whether it stands inside a tall line's box, right of where that line's first letter is."""
    least, most = (width * other.height for width in _CAP_WIDTH)
    return (
        line.height > _MIN_HEIGHT * other.height
        and len(line.text) >= _MIN_CHARACTERS <= len(other.text)
        and least < other.rect.x0 - line.rect.x0 < most
        and line.rect.y0 < other.rect.centre_y < line.rect.y1
        and other.rect.x1 <= line.rect.x1 + other.height
    )


def _is_letter(line: Line) -> bool:
    text = line.text.strip().strip(_QUOTES)
    return len(text) == 1 and text.isalpha()


def _first_row(cap: Line, lines: Sequence[Line]) -> Line | None:
    """The uppermost of the rows beside it, if there are several."""
    rows = [line for line in lines if _is_beside(cap, line)]
    return min(rows, key=lambda row: row.rect.y0) if len(rows) >= _MIN_ROWS else None


def _is_beside(cap: Line, line: Line) -> bool:
    distance = line.rect.x0 - cap.rect.x1
    return (
        cap.height > _MIN_HEIGHT * line.height
        and len(line.text) >= _MIN_CHARACTERS
        and -0.5 * cap.rect.width < distance < _MAX_DISTANCE * cap.height
        and cap.rect.y0 - 0.5 * line.height < line.rect.centre_y < cap.rect.y1
    )


def _with_cap(cap: Line, row: Line) -> Line:
    """The row with the letter before it, without a blank: `A` and `I` are seldom whole words.

    A row whose box overlaps the letter was recognized with a part of it, as `1 he` for `The`.
    """
    text = row.text.lstrip()
    if row.rect.x0 < cap.rect.x1 - _MAX_OVERLAP * cap.rect.width:
        text = _FRAGMENT.sub("", text)
    return row.with_text(cap.text.strip() + text)
