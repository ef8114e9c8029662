"""Gives a paragraph's large first letter back to its first row.

Detection finds it as a line of its own beside the rows it reaches down along, where no rule of
order could tell to which of them it belongs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dsocr.engines.ppocr.geometry import Line

_TALL = 1.8  # of the row beside it
_REACH = 1.5  # of its own height: how far away the row may begin
_MIN_ROWS = 2
_MIN_CHARACTERS = 12
_INTO = 0.1
_PIECE = re.compile(r"^\S\s+")


def with_drop_caps(lines: Sequence[Line]) -> list[Line]:
    """The lines in their order, each dropped letter joined to the row that it begins."""
    found = {id(cap): row for cap in lines if _is_letter(cap) and (row := _first_row(cap, lines))}
    caps = {id(row): cap for cap in lines if (row := found.get(id(cap)))}
    return [
        _begun(caps[id(line)], line) if id(line) in caps else line
        for line in lines
        if id(line) not in found
    ]


def _is_letter(line: Line) -> bool:
    text = line.text.strip().strip("\"'\u201c\u201e\u2018\u00ab")
    return len(text) == 1 and text.isalpha()


def _first_row(cap: Line, lines: Sequence[Line]) -> Line | None:
    """The uppermost of the rows beside it, if there are several."""
    rows = [
        line
        for line in lines
        if cap.height > _TALL * line.height
        and len(line.text) >= _MIN_CHARACTERS
        and -0.5 * cap.rect.width < line.rect.x0 - cap.rect.x1 < _REACH * cap.height
        and cap.rect.y0 - 0.5 * line.height < (line.rect.y0 + line.rect.y1) / 2 < cap.rect.y1
    ]
    return min(rows, key=lambda row: row.rect.y0) if len(rows) >= _MIN_ROWS else None


def _begun(cap: Line, row: Line) -> Line:
    """Without a blank between: `A` and `I` may be words, far more often they begin one.

    A row's box that reaches into the letter was read with a piece of it, as `1 he` for `The`.
    """
    text = row.text.lstrip()
    if row.rect.x0 < cap.rect.x1 - _INTO * cap.rect.width:
        text = _PIECE.sub("", text)
    return row.with_text(cap.text.strip() + text)
