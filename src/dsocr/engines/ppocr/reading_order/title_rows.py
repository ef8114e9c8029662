"""Joins the parts of a title that detection found as several lines.

The blanks between large words are as wide as a gutter between columns of text, so the parts would
be put into the columns below them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dsocr.engines.ppocr.geometry import Characters, Line
from dsocr.engines.ppocr.reading_order.text_joins import is_cjk

_LARGER = 1.3  # than the text
_MAX_BLANK = 0.36  # of the letters' height: headlines of neighbouring columns stand further apart
_MAX_OVERLAP = 0.25
_ALIKE = 1.2  # height over height
_LEVEL = 0.2  # of the height, between the middles
_ROW_BELOW = 1.8  # of the height, between the middles of a title's rows


def with_whole_titles(lines: Sequence[Line], body: float) -> list[Line]:
    """The lines in their order; `body` is the height of the text's lines.

    A title of several rows stays as it is: two headlines side by side look like one.
    """
    parts = sorted(
        (line for line in lines if line.height > _LARGER * body and _is_recognized(line)),
        key=lambda line: line.rect.x0,
    )
    joined: dict[int, Line] = {}
    taken: set[int] = set()
    for index, part in enumerate(parts):
        for right in parts[index + 1 :]:
            left = joined.get(id(part), part)
            if id(part) in taken or not _goes_on(left, right) or _has_rows(part, parts):
                continue
            joined[id(part)] = _joined(left, right)
            taken.add(id(right))
    return [joined.get(id(line), line) for line in lines if id(line) not in taken]


def _is_recognized(line: Line) -> bool:
    return not line.from_layer and not line.turn and line.characters is not None


def _goes_on(left: Line, right: Line) -> bool:
    """Whether the right one is the next word of the same row."""
    height = min(left.height, right.height)
    gap = right.rect.x0 - left.rect.x1
    return (
        -_MAX_OVERLAP * height < gap < _MAX_BLANK * height
        and max(left.height, right.height) < _ALIKE * height
        and abs(left.rect.centre_y - right.rect.centre_y) < _LEVEL * height
    )


def _has_rows(part: Line, parts: Sequence[Line]) -> bool:
    """Whether letters as large stand right above or below it."""
    return any(
        _LEVEL * part.height
        < abs(other.rect.centre_y - part.rect.centre_y)
        < _ROW_BELOW * part.height
        and min(other.rect.x1, part.rect.x1) > max(other.rect.x0, part.rect.x0)
        and other.height < _ALIKE * part.height < _ALIKE**2 * other.height
        for other in parts
    )


def _joined(left: Line, right: Line) -> Line:
    """Both as one line, with a blank between them but where ideographs meet."""
    assert left.characters is not None and right.characters is not None
    texts = left.text.rstrip(), right.text.lstrip()
    between = "" if is_cjk(texts[0][-1:]) and is_cjk(texts[1][:1]) else " "
    rect = left.rect.union(right.rect)
    blank = min(left.score, right.score)
    characters = Characters(
        f"{left.characters.text} {right.characters.text}",
        (*left.characters.chances, blank, *right.characters.chances),
        (*left.characters.gaps, blank, *right.characters.gaps),
    )
    return replace(
        left.with_text(between.join(texts)),
        rect=rect,
        score=(left.score + right.score) / 2,
        rise=rect.height - max(left.height, right.height),
        characters=characters,
    )
