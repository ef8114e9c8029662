"""The regions of a page with their lines of text, for formats that need a place for every line.

Where an engine gives no lines, a block's text is set into its box; the places are then estimates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dsocr.exports.layout.words import text_width
from dsocr.exports.text import plain
from dsocr.types import FIGURE_LABEL, Block, Box, PageResult, TextLine

_MARKUP = re.compile(r"[\\<>&*_`#\[\]|~!$]")
_MAX_LINES = 200
_HEIGHT_IN_WIDTHS = 1.25
"""The height of a line in heights of its font."""


@dataclass(frozen=True, slots=True)
class Region:
    """A block of a page, or lines that no block has."""

    label: str
    box: Box
    lines: tuple[TextLine, ...]

    @property
    def is_figure(self) -> bool:
        return self.label == FIGURE_LABEL


def regions_of(page: PageResult) -> list[Region]:
    """In reading order; lines that are in no block come last. Blocks without a box are left out."""
    by_block, others = lines_by_block(page)
    found = []
    for place, block in enumerate(page.blocks):
        if block.boxes:
            lines = by_block.get(place) or list(_own_lines(block))
            found.append(Region(block.label, surrounding(block.boxes), tuple(lines)))
    return [*found, *(Region("text", line.box, (line,)) for line in others)]


def lines_by_block(page: PageResult) -> tuple[dict[int, list[TextLine]], list[TextLine]]:
    """The page's lines by the place of the smallest block around their middle, and the others."""
    by_block: dict[int, list[TextLine]] = {}
    others: list[TextLine] = []
    boxes = [
        (_area(box), place, box) for place, block in enumerate(page.blocks) for box in block.boxes
    ]
    boxes.sort(key=lambda each: each[:2])
    for line in page.lines:
        x, y = (line.box.x0 + line.box.x1) / 2, (line.box.y0 + line.box.y1) / 2
        for _, place, box in boxes:
            if box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1:
                by_block.setdefault(place, []).append(line)
                break
        else:
            others.append(line)
    return by_block, others


def surrounding(boxes: Iterable[Box]) -> Box:
    """The smallest box around all; there must be one."""
    boxes = tuple(boxes)
    if len(boxes) == 1:
        return boxes[0]
    x0, y0, x1, y1 = zip(*((box.x0, box.y0, box.x1, box.y1) for box in boxes), strict=True)
    return Box(min(x0), min(y0), max(x1), max(y1))


def plain_block(text: str) -> str:
    """The words of a block's markdown."""
    return plain(text) if _MARKUP.search(text) else text


def fitted(
    text: str, boxes: Sequence[Box], confidence: float | None = None
) -> tuple[TextLine, ...]:
    """A text set into boxes, each the place of a line: a line of the text each where there are as
    many, else as many words as fit. A single box is divided into lines first."""
    rows = [row for row in text.split("\n") if row.strip()]
    if not rows or not boxes:
        return ()
    if len(boxes) == 1:
        count = len(rows) if len(rows) > 1 else _num_lines(rows[0], boxes[0])
        boxes = _bands(boxes[0], min(count, _MAX_LINES))
    if len(rows) != len(boxes):
        rows = _filled(" ".join(rows).split(), [box.x1 - box.x0 for box in boxes])
    return tuple(
        TextLine(" ".join(row.split()), box, confidence)
        for row, box in zip(rows, boxes, strict=True)
        if row.strip()
    )


def _own_lines(block: Block) -> tuple[TextLine, ...]:
    return fitted(plain_block(block.text), block.boxes, block.confidence)


def _area(box: Box) -> float:
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def _num_lines(text: str, box: Box) -> int:
    """How many lines fill the box. The page counts as 1.4 times as high as wide."""
    width, height = box.x1 - box.x0, (box.y1 - box.y0) * 1.4
    if width <= 0 or height <= 0 or len(text.split()) < 2:
        return 1
    lines = math.sqrt(text_width(text) * height / (width * _HEIGHT_IN_WIDTHS))
    return max(1, min(round(lines), len(text.split())))


def _bands(box: Box, count: int) -> list[Box]:
    height = (box.y1 - box.y0) / count
    return [
        Box(box.x0, box.y0 + place * height, box.x1, box.y0 + (place + 1) * height)
        for place in range(count)
    ]


def _filled(words: Sequence[str], widths: Sequence[float]) -> list[str]:
    """The words divided in order over lines of these widths; the last takes the rest."""
    total, room = sum(map(text_width, words)), sum(widths) or 1.0
    rows: list[list[str]] = [[] for _ in widths]
    place, used, limit = 0, 0.0, total * widths[0] / room
    for word in words:
        width = text_width(word)
        while place < len(widths) - 1 and used + width / 2 > limit:
            place += 1
            limit += total * widths[place] / room
        rows[place].append(word)
        used += width
    return [" ".join(row) for row in rows]
