"""Splits a column's rows into paragraphs by gap, size, indent and how far a row reaches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.geometry import Line, Rect, enclose, mean_score
from dsocr.engines.ppocr.reading_order.contents import without_leaders
from dsocr.engines.ppocr.reading_order.kept_breaks import keeps_breaks
from dsocr.engines.ppocr.reading_order.text_joins import is_cjk, is_right_to_left

Edges = tuple[float, float]
"""Left and right edge of a column."""

_WIDE_PITCH = 1.35  # of the column's usual distance from row to row
_MAX_STEP = 2.6  # of the smaller row's height
_LEADING = 1.6  # of a row's height, for a page with too few rows to measure it
_FEW_ROWS = 4
_MIN_LEADING = 0.7  # of a row's height: less, and two lines are one row
_NEAR_LINES = 30
_OTHER_SIZE = 1.3
_RAISED = 1.7
_HEADING = 1.15  # of the usual height: a row so tall that ends early is a heading
_WIDE_GAP = 1.5  # of a row's height
_NARROW = 0.6  # of the column: no row of such a paragraph had to end where it did
_INDENT = 0.9  # of a row's height
_RAGGED = 1.2  # of a row's height: more is no uneven edge of print
_FLUSH = 0.35  # of a row's height
_MIN_FLOWING_WIDTH = 18  # in Latin letters: no running text is set in shorter rows
_LONG = 60  # in Latin letters
_ENDS = tuple('.!?:;\u3002\uff01\uff1f\uff1a\uff1b\u2026"\u201d)\uff09')
_LIST_MARK = re.compile(
    r"""^(?:
        [\u2022\u2023\u25cf\u25cb\u25aa\u25a0\u25c6\u2666\u25ba\u27a2\u2713\u00b7*\u2013\u2014-]\s*\S
      | \(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,4})[.)\u3001\uff0e](?:\s|(?=[^\W\d]))
      | [\[\u3010]\d{1,3}[\]\u3011]
      | \[[x\ ]\]\s
      | [\u2460-\u2473]
      | [\uff08(][\u4e00-\u5341\d]{1,3}[)\uff09]
      | [\u4e00-\u5341]{1,3}\u3001
    )""",
    re.VERBOSE,
)

_ENTRY = re.compile(
    r"\d{1,2}[.:]\d{2}\b|\d{1,4}[./-]\d{1,2}[./-](?:\d{2,4})?|[^\W\d][^.:;!?]{1,24}:(?:\s|$)"
)

_CJK_KEY = re.compile(r"[\u4e00-\u9fff]{1,8}\s?[:\uff1a]")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Rows that belong together."""

    rows: tuple[Line, ...]
    flowing: bool
    """False where each row keeps its line break: an address, a poem, a receipt."""

    @property
    def rect(self) -> Rect:
        return enclose([row.rect for row in self.rows])


def join_row(lines: Sequence[Line]) -> Line:
    """The lines of one row, in the order given, as one line."""
    gaps = [right.rect.x0 - left.rect.x1 for left, right in pairwise(lines)]
    has_wide_gap = any(gap > _WIDE_GAP * lines[0].height for gap in gaps)
    if has_wide_gap or len(lines) == 1:
        lines = without_leaders(lines)
    if len(lines) == 1:
        return lines[0]
    text = " ".join(line.text.strip() for line in lines)
    rect = enclose([line.rect for line in lines])
    rise = rect.height - max(line.height for line in lines)
    return Line(text, rect, mean_score(lines) or 0.0, has_wide_gap, rise)


def split_paragraphs(rows: Sequence[Line], *, leading: float = _LEADING) -> list[Paragraph]:
    """Paragraphs of one column, top to bottom. `leading` is the page's, see `leading_of`."""
    if not rows:
        return []
    column = _edges(rows)
    pitch = _usual_pitch(rows, leading)
    usual = median(row.height for row in rows)
    paragraphs: list[Paragraph] = []
    for stanza in _stanzas(rows, pitch):
        if entries := _wrapped_entries(stanza, column):
            paragraphs += entries
            continue
        if len(stanza) >= _FEW_ROWS and _is_verse(stanza):
            paragraphs.append(Paragraph(tuple(stanza), False))
            continue
        parts: list[list[Line]] = [[stanza[0]]]
        for above, row in pairwise(stanza):
            if _begins_paragraph(above, row, column, pitch=pitch, usual=usual):
                parts.append([])
            parts[-1].append(row)
        for part in parts:
            paragraphs += _paragraphs_of(part, column)
    return paragraphs


def _paragraphs_of(rows: Sequence[Line], column: Edges) -> list[Paragraph]:
    """The rows as one paragraph; entries that wrap (a glossary's, say) as one each."""
    if _flows(rows, column):
        return [Paragraph(tuple(rows), True)]
    return _wrapped_entries(rows, column) or [Paragraph(tuple(rows), False)]


def _wrapped_entries(rows: Sequence[Line], column: Edges) -> list[Paragraph]:
    """The rows of each entry, where some entries run on in rows below; else none."""
    starts = [_begins_entry(row.text) for row in rows]
    if not starts[0] or not 2 <= sum(starts) < len(rows) or any(row.has_wide_gap for row in rows):
        return []
    right = max(row.rect.x1 for row in rows)
    entries: list[list[Line]] = []
    for index, row in enumerate(rows):
        if starts[index]:
            entries.append([])
        elif not _is_full(rows[index - 1], row, (column[0], right)):
            return []
        entries[-1].append(row)
    return [Paragraph(tuple(own), True) for own in entries]


def _stanzas(rows: Sequence[Line], pitch: float) -> list[list[Line]]:
    """The rows, divided at wide gaps only."""
    stanzas: list[list[Line]] = [[rows[0]]]
    for above, row in pairwise(rows):
        if _has_gap(above, row, pitch):
            stanzas.append([])
        stanzas[-1].append(row)
    return stanzas


def _is_verse(rows: Sequence[Line]) -> bool:
    """Whether all rows are lines of their own, alike in size and without marks of a list."""
    return (
        not any(starts_with_list_mark(row.text) or row.has_wide_gap for row in rows)
        and all(_size_ratio(rows[0], row) < _OTHER_SIZE for row in rows)
        and keeps_breaks(rows)
    )


def starts_with_list_mark(text: str) -> bool:
    """Whether a row starts with a bullet or a number of a list."""
    return bool(_LIST_MARK.match(text))


def _edges(rows: Sequence[Line]) -> Edges:
    """The column's edges; a tenth of the rows may exceed them."""
    lefts = sorted(row.rect.x0 for row in rows)
    rights = sorted(row.rect.x1 for row in rows)
    return lefts[len(rows) // 10], rights[-1 - len(rows) // 10]


def leading_of(lines: Sequence[Line]) -> float:
    """A page's usual distance from a row to the one below, in heights of a row."""
    ordered = sorted(lines, key=lambda line: line.rect.centre_y)
    steps: list[float] = []
    for index, line in enumerate(ordered):
        near = ordered[index + 1 : index + 1 + _NEAR_LINES]
        below = next((other for other in near if _is_below(line, other)), None)
        if below is not None and _size_ratio(line, below) < _OTHER_SIZE:
            steps.append(_step(line, below) / max(line.height, 1e-9))
    return float(median(steps)) if steps else _LEADING


def _is_below(line: Line, other: Line) -> bool:
    shared = min(line.rect.x1, other.rect.x1) - max(line.rect.x0, other.rect.x0)
    return _step(line, other) / max(line.height, 1e-9) > _MIN_LEADING and shared > 0.5 * min(
        line.rect.width, other.rect.width
    )


def _usual_pitch(rows: Sequence[Line], leading: float) -> float:
    """The distance from row to row. Few rows are no measure: each may be a paragraph."""
    usual = leading * median(row.height for row in rows)
    steps = _steps(rows)
    if not steps:
        return usual
    own = float(median(sorted(steps)[: max(1, len(steps) * 3 // 4)]))
    return own if len(rows) > _FEW_ROWS or own < _WIDE_PITCH * usual else usual


def _steps(rows: Sequence[Line]) -> list[float]:
    return [
        _step(above, below)
        for above, below in pairwise(rows)
        if _size_ratio(above, below) < _OTHER_SIZE and _step(above, below) > 0
    ]


def _begins_paragraph(above: Line, row: Line, column: Edges, *, pitch: float, usual: float) -> bool:
    """Whether a paragraph begins with the row; `usual` is the height of the column's rows."""
    if _has_gap(above, row, pitch) or starts_with_list_mark(row.text):
        return True
    if _size_ratio(above, row) >= _OTHER_SIZE and not _continues_sentence(above, row):
        return True
    short = not _is_full(above, row, column)
    if short and above.height > _HEADING * usual > row.height:
        return True
    ended = above.text.rstrip().endswith(_ENDS)
    above_indented = _is_indented(above, column)
    centred = _is_centred(row, column) or _is_centred(above, column)
    if _is_indented(row, column) and not above_indented and not centred and (ended or short):
        return True
    return short and ended and not above_indented


def _has_gap(above: Line, row: Line, pitch: float) -> bool:
    step = _step(above, row)
    usual = max(pitch, 0.55 * (above.height + row.height))
    return step > _WIDE_PITCH * usual or step > _MAX_STEP * min(above.height, row.height)


def _is_indented(row: Line, column: Edges) -> bool:
    return row.rect.x0 - column[0] > _INDENT * row.height


def _continues_sentence(above: Line, row: Line) -> bool:
    """Whether a sentence runs on, and a raised note or a formula made one of its rows taller."""
    begins = row.text.lstrip()[:1]
    return (
        begins.islower()
        and not above.text.rstrip().endswith(_ENDS)
        and _size_ratio(above, row) < _RAISED
        and abs(above.rect.x0 - row.rect.x0) < 2 * row.height
    )


def _is_full(above: Line, row: Line, column: Edges) -> bool:
    """Whether the row above reaches so far that the first word of the next did not fit."""
    left_over = column[1] - above.rect.x1
    return left_over < _first_word_width(row) + 1.2 * _character_width(row)


def _first_word_width(row: Line) -> float:
    text = row.text.strip()
    if not text:
        return 0.0
    count = 1 if is_cjk(text[0]) else len(text.split(maxsplit=1)[0])
    return count * _character_width(row)


def _character_width(row: Line) -> float:
    widths = 2 if row.text and is_cjk(row.text[0]) else 1
    return row.rect.width / max(1, _text_width(row.text)) * widths


def _text_width(text: str) -> int:
    """Its length in widths of a Latin letter."""
    return sum(2 if is_cjk(char) else 1 for char in text)


def _flows(rows: Sequence[Line], column: Edges) -> bool:
    """Whether the rows of a paragraph run on: most reach so far that the next word did not fit."""
    if len(rows) < 2:
        return True
    if 3 * sum(row.has_wide_gap for row in rows) >= len(rows) or _has_ragged_start(rows):
        return False
    if median(_text_width(row.text) for row in rows) < _MIN_FLOWING_WIDTH:
        return False
    if keeps_breaks(rows) or _all_begin_entries(rows, column):
        return False
    pairs = list(pairwise(rows))
    if 2 * sum(_is_centred_under(above, below) for above, below in pairs) > len(pairs):
        return False
    left, right = _paragraph_edges(rows, column)
    full = [
        _is_full(above, below, (left, right)) or right - above.rect.x1 < 0.2 * (right - left)
        for above, below in pairs
    ]
    return sum(full) >= 0.6 * len(pairs)


def _all_begin_entries(rows: Sequence[Line], column: Edges) -> bool:
    """Whether every row begins with a time, a date, or a short key, or holds several keys.

    A sentence with a colon may begin so by chance: its rows are long and end where the next word
    did not fit.
    """
    if all(len(_CJK_KEY.findall(row.text)) > 1 for row in rows):
        return True
    if not all(_begins_entry(row.text) for row in rows):
        return False
    is_long = median(_text_width(row.text) for row in rows) > _LONG
    return not (is_long and all(_is_full(*pair, column) for pair in pairwise(rows)))


def _begins_entry(text: str) -> bool:
    words = text.strip()
    return bool(_ENTRY.match(words)) and not words[0].islower()


def _paragraph_edges(rows: Sequence[Line], column: Edges) -> Edges:
    """Its own right edge, unless it is narrow or of two rows: then the column's."""
    right = max(row.rect.x1 for row in rows)
    narrow = right - column[0] < _NARROW * (column[1] - column[0])
    return column[0], column[1] if narrow or len(rows) == 2 else right


def _has_ragged_start(rows: Sequence[Line]) -> bool:
    """Whether rows start at chosen places: set to the right, or stepped as code is.

    The first row of running text may be indented, and the rows may pass a picture's edge once.
    """
    size = median(row.height for row in rows)
    starts = [row.rect.x0 for row in rows[1:]]
    stepped = sum(abs(below - above) > _RAGGED * size for above, below in pairwise(starts)) > 1
    return stepped or _is_flush_right(rows, size)


def _is_flush_right(rows: Sequence[Line], size: float) -> bool:
    """Whether all rows end at one place and most start further right than the widest; not of
    right-to-left text, which begins there."""
    if is_right_to_left(row.text for row in rows):
        return False
    left, right = min(row.rect.x0 for row in rows), max(row.rect.x1 for row in rows)
    late = sum(row.rect.x0 - left > _RAGGED * size for row in rows)
    return all(right - row.rect.x1 < _FLUSH * size for row in rows) and 2 * late >= len(rows)


def _is_centred_under(above: Line, below: Line) -> bool:
    """Around one middle, but not as wide: a shop's address, a title page, an invitation."""
    height = min(above.height, below.height)
    left, right = below.rect.x0 - above.rect.x0, above.rect.x1 - below.rect.x1
    return min(abs(left), abs(right)) > 0.5 * height and abs(left - right) < 1.5 * height


def _is_centred(row: Line, column: Edges) -> bool:
    left, right = row.rect.x0 - column[0], column[1] - row.rect.x1
    return left > 2 * row.height and abs(left - right) < row.height


def _size_ratio(first: Line, second: Line) -> float:
    heights = sorted((first.height, second.height))
    return heights[1] / max(heights[0], 1e-9)


def _step(above: Line, below: Line) -> float:
    """The distance from one row's centre to the other's."""
    return below.rect.centre_y - above.rect.centre_y
