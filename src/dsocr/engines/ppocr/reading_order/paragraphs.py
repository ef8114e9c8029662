"""Cuts a column's rows into paragraphs by gap, size, indent and how far a row runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from statistics import median

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.text_joins import is_cjk

_WIDE_PITCH = 1.35  # of the column's usual distance from row to row
_LEADING = 1.6  # of a row's height, where a page does not tell
_FEW_ROWS = 4
_NEAR_LINES = 30
_OTHER_SIZE = 1.3
_RAISED = 1.7
_HEADING = 1.15  # a row so much taller that ends early is a heading
_PARTED = 1.5  # of a row's height
_NARROW = 0.6  # of the column: no row of such a paragraph had to end where it did
_INDENT = 0.9  # of a row's height
_RAGGED = 1.2  # of a row's height: what is more is no uneven edge of print
_MIN_FLOWING_CELLS = 18  # no running text is set in rows shorter than that
_ENDS = tuple('.!?:;\u3002\uff01\uff1f\uff1a\uff1b\u2026"\u201d)\uff09')
_MARK = re.compile(
    r"""^(?:
        [\u2022\u2023\u25cf\u25cb\u25aa\u25a0\u25c6\u2666\u25ba\u27a2\u2713\u00b7*\u2013\u2014-]\s*\S
      | \(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,4})[.)\u3001\uff0e](?:\s|(?=[^\W\d]))
      | [\[\u3010]\d{1,3}[\]\u3011]
      | [\u2460-\u2473]
      | [\uff08(][\u4e00-\u5341\d]{1,3}[)\uff09]
      | [\u4e00-\u5341]{1,3}\u3001
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Rows that belong together."""

    rows: tuple[Line, ...]
    flowing: bool
    """False where each row stands for itself: an address, a poem, a receipt."""

    @property
    def rect(self) -> Rect:
        return enclose([row.rect for row in self.rows])


def enclose(rects: Sequence[Rect]) -> Rect:
    """The smallest rectangle around all."""
    return reduce(Rect.union, rects)


def join_row(lines: Sequence[Line], *, separator: str = " ") -> Line:
    """The pieces of one row, in the order given, as one line."""
    if len(lines) == 1:
        return lines[0]
    text = separator.join(line.text.strip() for line in lines)
    weight = sum(len(line.text) for line in lines) or 1
    score = sum(line.score * len(line.text) for line in lines) / weight
    gaps = (right.rect.x0 - left.rect.x1 for left, right in zip(lines, lines[1:], strict=False))
    parted = any(gap > _PARTED * lines[0].height for gap in gaps)
    rect = enclose([line.rect for line in lines])
    lean = rect.height - max(line.height for line in lines)
    return Line(text, rect, score, parted, lean)


def split(rows: Sequence[Line], *, leading: float = _LEADING) -> list[Paragraph]:
    """Paragraphs of one column, top to bottom. `leading` is the page's, see `leading_of`."""
    if not rows:
        return []
    column = _edges(rows)
    pitch = _usual_pitch(rows, leading)
    usual = median(row.height for row in rows)
    paragraphs: list[list[Line]] = [[rows[0]]]
    for index in range(1, len(rows)):
        if _breaks(rows[index - 1], rows[index], column, pitch=pitch, usual=usual):
            paragraphs.append([])
        paragraphs[-1].append(rows[index])
    return [Paragraph(tuple(part), _flows(part, column)) for part in paragraphs]


def starts_with_mark(text: str) -> bool:
    """Whether a row opens with a bullet or a number of a list."""
    return bool(_MARK.match(text))


def _edges(rows: Sequence[Line]) -> tuple[float, float]:
    """Left and right edge of the column; one stray row does not move them."""
    lefts = sorted(row.rect.x0 for row in rows)
    rights = sorted(row.rect.x1 for row in rows)
    return lefts[len(rows) // 10], rights[-1 - len(rows) // 10]


def leading_of(lines: Sequence[Line]) -> float:
    """A page's usual distance from a row to the one below, in heights of a row."""
    ordered = sorted(lines, key=_middle)
    steps: list[float] = []
    for index, line in enumerate(ordered):
        for below in ordered[index + 1 : index + 1 + _NEAR_LINES]:
            step = (_middle(below) - _middle(line)) / max(line.height, 1e-9)
            shared = min(line.rect.x1, below.rect.x1) - max(line.rect.x0, below.rect.x0)
            if step > 0.7 and shared > 0.5 * min(line.rect.width, below.rect.width):
                if _ratio(line, below) < _OTHER_SIZE:
                    steps.append(step)
                break
    return float(median(steps)) if steps else _LEADING


def _usual_pitch(rows: Sequence[Line], leading: float) -> float:
    """From row to row. Few rows do not tell: they may all be paragraphs of their own."""
    usual = leading * median(row.height for row in rows)
    steps = _steps(rows)
    if not steps:
        return usual
    own = float(median(sorted(steps)[: max(1, len(steps) * 3 // 4)]))
    return own if len(rows) > _FEW_ROWS or own < _WIDE_PITCH * usual else usual


def _steps(rows: Sequence[Line]) -> list[float]:
    return [
        _middle(below) - _middle(above)
        for above, below in zip(rows, rows[1:], strict=False)
        if _ratio(above, below) < _OTHER_SIZE and _middle(below) > _middle(above)
    ]


def _breaks(
    above: Line, row: Line, column: tuple[float, float], *, pitch: float, usual: float
) -> bool:
    """Whether a paragraph begins; `usual` is the height of the column's rows."""
    step = _middle(row) - _middle(above)
    size = min(above.height, row.height)
    if step > _WIDE_PITCH * max(pitch, 0.55 * (above.height + row.height)) or step > 2.6 * size:
        return True
    if _ratio(above, row) >= _OTHER_SIZE and not _runs_on(above, row):
        return True
    if starts_with_mark(row.text):
        return True
    short = not _full(above, row, column)
    if short and above.height > _HEADING * usual > row.height:
        return True
    ended = above.text.rstrip().endswith(_ENDS)
    indented = row.rect.x0 - column[0] > _INDENT * row.height
    above_indented = above.rect.x0 - column[0] > _INDENT * above.height
    centred = _is_centred(row, column) or _is_centred(above, column)
    if indented and not above_indented and not centred and (ended or short):
        return True
    return short and ended and not above_indented


def _runs_on(above: Line, row: Line) -> bool:
    """A sentence goes on: a raised note or a formula made one of its rows taller."""
    begins = row.text.lstrip()[:1]
    return (
        begins.islower()
        and not above.text.rstrip().endswith(_ENDS)
        and _ratio(above, row) < _RAISED
        and abs(above.rect.x0 - row.rect.x0) < 2 * row.height
    )


def _full(above: Line, row: Line, column: tuple[float, float]) -> bool:
    """Whether the row above ran as far as it could: the next word had no room."""
    room = column[1] - above.rect.x1
    word = _first_word_width(row)
    return room < word + 1.2 * _character_width(row)


def _first_word_width(row: Line) -> float:
    text = row.text.strip()
    if not text:
        return 0.0
    count = 1 if is_cjk(text[0]) else len(text.split(maxsplit=1)[0])
    return count * _character_width(row)


def _character_width(row: Line) -> float:
    return (
        row.rect.width / max(1, _cells(row.text)) * (2 if row.text and is_cjk(row.text[0]) else 1)
    )


def _cells(text: str) -> int:
    """Its length in the breadth of a Latin letter."""
    return sum(2 if is_cjk(char) else 1 for char in text)


def _flows(rows: Sequence[Line], column: tuple[float, float]) -> bool:
    """Whether the rows of a paragraph run on: most reach so far that the next word had no room."""
    if len(rows) < 2:
        return True
    if 3 * sum(row.parted for row in rows) >= len(rows) or _wanders(rows):
        return False
    if median(_cells(row.text) for row in rows) < _MIN_FLOWING_CELLS:
        return False
    pairs = list(zip(rows, rows[1:], strict=False))
    if 2 * sum(_is_centred_under(above, below) for above, below in pairs) > len(pairs):
        return False
    right = max(row.rect.x1 for row in rows)
    narrow = right - column[0] < _NARROW * (column[1] - column[0])
    edge = (column[0], column[1] if narrow or len(rows) == 2 else right)
    slack = [
        _full(above, below, edge) or edge[1] - above.rect.x1 < 0.2 * (edge[1] - edge[0])
        for above, below in pairs
    ]
    return sum(slack) >= 0.6 * len(pairs)


def _wanders(rows: Sequence[Line]) -> bool:
    """Whether rows begin where their maker put them: set to the right, stepped as code is.

    The first row of running text may be indented, and once the rows may pass a picture's edge.
    """
    size = median(row.height for row in rows)
    lefts = [row.rect.x0 for row in rows]
    steps = [abs(b - a) > _RAGGED * size for a, b in zip(lefts[1:], lefts[2:], strict=False)]
    return sum(steps) > 1


def _is_centred_under(above: Line, below: Line) -> bool:
    """Around one middle, but not as wide: a shop's address, a title page, an invitation."""
    height = min(above.height, below.height)
    left, right = below.rect.x0 - above.rect.x0, above.rect.x1 - below.rect.x1
    return min(abs(left), abs(right)) > 0.5 * height and abs(left - right) < 1.5 * height


def _is_centred(row: Line, column: tuple[float, float]) -> bool:
    left, right = row.rect.x0 - column[0], column[1] - row.rect.x1
    return left > 2 * row.height and abs(left - right) < row.height


def _ratio(first: Line, second: Line) -> float:
    heights = sorted((first.height, second.height))
    return heights[1] / max(heights[0], 1e-9)


def _middle(line: Line) -> float:
    return (line.rect.y0 + line.rect.y1) / 2
