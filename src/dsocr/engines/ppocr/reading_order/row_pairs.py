"""Tells rows that belong together (a label and its value) from columns that stand side by side.

Knows where lines stand and what kind of text they hold: numbers, labels, short entries, prose.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.geometry import Line, enclose
from dsocr.engines.ppocr.reading_order.items import line_rows
from dsocr.engines.ppocr.reading_order.paragraphs import starts_with_list_mark
from dsocr.engines.ppocr.reading_order.prose import text_weight

_MIN_ROWS = 3
_MIN_PAIRS = 2
_MAX_ENTRY_ROWS = 15  # rows of words: more are an index or a directory set in columns
_MOST = 0.6  # of the lines of one side
_ENTRIES = 0.8  # of the numbers before entries
_MIN_SHARE = 0.3  # of the lines next to a gutter
_SHARED_ROW = 0.5  # of the lower line's height
_ALIGNED = 0.35  # of a line's height, between the ends of lines
_RAGGED = 0.8  # of a line's height, between the starts of lines
_SHORT_ENTRY = 10  # characters
_LONG = 25
_ENTRY = 18  # characters; no running text is set in shorter rows
_FULL = 0.85  # of the widest row
_MAX_FULL = 0.5  # of the rows
_LOOSE = 1.4  # of a line's height, from row to row; an address is set closer
_MIN_CLOSE_ROWS = 5
_FEW_DIGITS = 0.2  # of the lines
_ADDRESS = 0.4  # of the lines hold numbers among words
_HEADING = 1.15  # of the side's usual height
_UNIT_LETTERS = 3
_OPEN = 1.25  # of a line's height, from row to row
_NEARLY_ALL = 0.75
_KEYED = re.compile(r"[^\W\d][^:]{1,20}:\s*\S|N(?:o|r|\u00ba|\u00b0)\.?\s*\d")
_CURRENCY = r"(?:[A-Z]{2}[DFKNPRWY]|RM|Rs|kr|K\u010d|Ft|z\u0142)"
_DATE = r"\d{1,2}-\d{1,2}-\d{2,4}$"
_LONG_NUMBER = re.compile(
    rf"(?!{_CURRENCY}\b)[^\W\d][\w-]*\.?\s+(?!{_DATE})\+?(?:[A-Z]{{2}})?(?:[ ()-]*\d){{7,}}$"
)
"""A word and the digits of a telephone, an account or a register: no amount, no date."""
_MIN_LABEL = 3.0  # letters of a list's labels, in the median

Row = list[Line]
Sides = list[tuple[Line, Line]]


def belong_by_rows(left: Sequence[Line], right: Sequence[Line]) -> bool:
    """Whether lines at both sides of a gutter are read row by row: labels with their values."""
    left_rows, right_rows = line_rows(left), line_rows(right)
    if repeats_list(left_rows, right_rows):
        return False
    labels = _nearest_column([row[-1] for row in left_rows], from_right=True)
    values = _nearest_column([row[0] for row in right_rows], from_right=False)
    pairs = _pairs(labels, values)
    if len(pairs) < max(_MIN_PAIRS, _MOST * min(len(labels), len(values))):
        return False
    if _share([value for _, value in pairs], is_key) >= _MOST:
        return False
    if _have_own_keys(values) and not _share(labels, is_key):
        return False
    if _are_running_text(labels) and not _are_amounts(pairs, labels, values):
        return False
    if _are_entry_numbers(labels, right_rows):
        return True
    return _are_numbers(pairs, labels, values) or _are_words(pairs, labels, values)


def repeats_list(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """Whether both sides are lists of their own: labels with values of one kind."""
    kinds = []
    for rows in (left, right):
        wide = [row for row in rows if len(row) > 1]
        labels = [row[0] for row in wide]
        ends = [row[-1].text for row in wide if is_value(row[-1].text)]
        if len(wide) < max(_MIN_PAIRS, 0.5 * len(rows)) or len(ends) < _MOST * len(wide):
            return False
        if median(text_weight(label.text) for label in labels) < _MIN_LABEL:
            return False
        kinds.append(Counter(map(_shape, ends)).most_common(1)[0][0])
    return kinds[0] == kinds[1]


def bound_beside(lines: Sequence[Line], others: Sequence[Line]) -> list[Line]:
    """Those of the others that stand left or right of the lines and belong to their rows."""
    around = enclose([line.rect for line in lines])
    level = [line for line in others if around.y0 < line.rect.centre_y < around.y1]
    middle = (around.x0 + around.x1) / 2
    before = [line for line in level if line.rect.x1 < middle and line.rect.x0 < around.x0]
    after = [line for line in level if line.rect.x0 > middle and line.rect.x1 > around.x1]
    return [
        *(before if before and belong_by_rows(before, lines) else []),
        *(after if after and belong_by_rows(lines, after) else []),
    ]


def is_value(text: str) -> bool:
    """Whether it is a number, a price, a time or a date, with a unit perhaps."""
    digits = sum(char.isdigit() for char in text)
    letters = sum(char.isalpha() for char in text)
    return bool(digits) and (digits >= letters or letters <= _UNIT_LETTERS)


def is_key(line: Line) -> bool:
    """Whether it ends as the name of what stands beside it does."""
    return line.text.rstrip(" ._").endswith((":", "\uff1a"))


def _pairs(labels: Sequence[Line], values: Sequence[Line]) -> Sides:
    """Each value with the label in its row."""
    found = []
    for value in values:
        best = max(labels, key=lambda label: _shared_height(label, value), default=None)
        if best is not None and _shared_height(best, value) > _SHARED_ROW:
            found.append((best, value))
    return found


def _shared_height(first: Line, second: Line) -> float:
    """Of the lower one's height."""
    shared = min(first.rect.y1, second.rect.y1) - max(first.rect.y0, second.rect.y0)
    return shared / max(min(first.rect.height, second.rect.height), 1e-9)


def _share(lines: Sequence[Line], test: Callable[[Line], bool]) -> float:
    return sum(map(test, lines)) / max(1, len(lines))


def _are_headed(pairs: Sides, labels: Sequence[Line], values: Sequence[Line]) -> bool:
    """Whether the first row has larger letters on both sides: headings of two columns."""
    label, value = min(pairs, key=lambda pair: pair[0].rect.y0)
    return label.height > _HEADING * median(
        line.height for line in labels
    ) and value.height > _HEADING * median(line.height for line in values)


def _nearest_column(lines: Sequence[Line], *, from_right: bool) -> list[Line]:
    """Those that stand below one another next to the gutter; a few may stand alone before them."""
    columns: list[list[Line]] = []
    end = float("-inf")
    for line in sorted(lines, key=lambda line: line.rect.x0):
        if line.rect.x0 >= end:
            columns.append([])
        columns[-1].append(line)
        end = max(end, line.rect.x1)
    nearest = reversed(columns) if from_right else columns
    many = max(_MIN_PAIRS, _MIN_SHARE * len(lines))
    column = next((column for column in nearest if len(column) >= many), list(lines))
    return sorted(column, key=lambda line: line.rect.y0)


def _are_running_text(lines: Sequence[Line]) -> bool:
    """Whether most rows are long and full: nothing beside them is their value."""
    return len(lines) > _MIN_ROWS and not _are_ragged(lines) and not _are_short(lines, _LONG)


def _have_own_keys(values: Sequence[Line]) -> bool:
    """Whether most values have keys of their own, so that no labels beside them are meant."""
    usual = median(line.height for line in values)
    entries = [line for line in values if line.height <= _HEADING * usual]
    return len(entries) >= _MIN_PAIRS and _share(entries, lambda v: is_keyed(v.text)) >= _MOST


def is_keyed(text: str) -> bool:
    """Whether a key begins it: "Date: 3 May", "No. 2024-17", "Tel. 0431 556677"."""
    return bool(_KEYED.match(text.strip()) or _LONG_NUMBER.match(text.strip()))


def _are_amounts(pairs: Sides, labels: Sequence[Line], values: Sequence[Line]) -> bool:
    """Whether numbers stand beside nearly all rows of a list that is set more open than text."""
    steps = [below.rect.centre_y - above.rect.centre_y for above, below in pairwise(labels)]
    if median(steps) < _OPEN * median(line.rect.height for line in labels) or _are_full(labels):
        return False
    numbers = _share([value for _, value in pairs], lambda line: is_value(line.text))
    return numbers >= _NEARLY_ALL and len(pairs) >= _NEARLY_ALL * max(len(labels), len(values))


def _are_numbers(pairs: Sides, labels: Sequence[Line], values: Sequence[Line]) -> bool:
    """Whether the values are numbers, or stand behind numbers in the same row."""
    numbers = _share([value for _, value in pairs], _is_bare_value)
    if numbers >= _MOST and len(pairs) >= _MOST * len(values):
        return True
    numbers = _share([label for label, _ in pairs], _is_bare_value)
    return numbers >= _MOST and len(pairs) >= 0.8 * max(len(labels), len(values))


def _is_bare_value(line: Line) -> bool:
    """Whether it is a value without a key of its own ("Tel. 0431 556677")."""
    return is_value(line.text) and not is_keyed(line.text)


def _are_entry_numbers(labels: Sequence[Line], rows: Sequence[Row]) -> bool:
    """Whether dates or numbers stand before rows that end in amounts, as in a ledger.

    An entry's text may go on in further rows, which have neither.
    """
    numbers = [label for label in labels if is_value(label.text)]
    starts = [row[0] for row in rows if len(row) > 1 and is_value(row[-1].text)]
    if len(numbers) < max(_MIN_ROWS, _MOST * len(labels)):
        return False
    before = [n for n in numbers if any(_shared_height(n, s) > _SHARED_ROW for s in starts)]
    return len(before) >= _ENTRIES * max(len(numbers), _MOST * len(starts))


def _are_words(pairs: Sides, labels: Sequence[Line], values: Sequence[Line]) -> bool:
    if _share([label for label, _ in pairs], is_key) >= _MOST:
        return True
    if len(pairs) < _MIN_ROWS or _are_headed(pairs, labels, values):
        return False
    return _are_flush_right(values) or _are_entries(pairs, labels, values)


def _are_flush_right(values: Sequence[Line]) -> bool:
    """Whether lines end at one place and start at several, as no column of text does."""
    height = median(line.rect.height for line in values)
    ends = [line.rect.x1 for line in values]
    starts = [line.rect.x0 for line in values]
    flush = sum(abs(end - median(ends)) < _ALIGNED * height for end in ends)
    ragged = sum(abs(start - median(starts)) > _RAGGED * height for start in starts)
    return flush >= 0.8 * len(values) and ragged >= 0.4 * len(values)


def _are_entries(pairs: Sides, labels: Sequence[Line], values: Sequence[Line]) -> bool:
    """Whether both sides hold a word or two in each row, one beside the other."""
    if not _MIN_ROWS <= len(values) <= _MAX_ENTRY_ROWS or len(pairs) < 0.8 * len(values):
        return False
    if min(
        _share(side, lambda line: starts_with_list_mark(line.text)) for side in (labels, values)
    ):
        return False
    if _share(labels, lambda label: is_keyed(label.text)) >= _MOST:
        return False
    short = [_are_short(side, _ENTRY) for side in (labels, values)]
    entries = all(
        own or _are_ragged(side) for own, side in zip(short, (labels, values), strict=True)
    )
    if not (any(short) and entries) and not _are_short(values, _SHORT_ENTRY):
        return False
    # Addresses side by side have few rows, and numbers of houses in them.
    if len(pairs) < _MIN_CLOSE_ROWS and all(
        _share(side, _holds_number) >= _ADDRESS for side in (labels, values)
    ):
        return False
    steps = [below.rect.centre_y - above.rect.centre_y for above, below in pairwise(values)]
    if median(steps) >= _LOOSE * median(line.rect.height for line in values):
        return True
    return len(pairs) >= _MIN_CLOSE_ROWS and _share(labels, _holds_number) < _FEW_DIGITS


def _holds_number(line: Line) -> bool:
    return any(char.isdigit() for char in line.text) and not is_value(line.text)


def _are_short(lines: Sequence[Line], length: int) -> bool:
    """Whether these hold few characters, in the median."""
    return median(len(line.text.strip()) for line in lines) < length


def _are_ragged(lines: Sequence[Line]) -> bool:
    """Whether most end well before the widest one does."""
    start, end = min(line.rect.x0 for line in lines), max(line.rect.x1 for line in lines)
    full = sum(line.rect.x1 - start > _FULL * (end - start) for line in lines)
    return full < _MAX_FULL * len(lines)


def _are_full(lines: Sequence[Line]) -> bool:
    """Whether nearly all reach as far as the widest one, as in justified text."""
    start, end = min(line.rect.x0 for line in lines), max(line.rect.x1 for line in lines)
    return _share(lines, lambda line: line.rect.x1 - start > _FULL * (end - start)) > _NEARLY_ALL


def _shape(text: str) -> str:
    """How a number is written: `4.50` and `15.90` alike, `2` otherwise."""
    return re.sub(r"\d+", "0", re.sub(r"[^\d.,:/-]", "", text)).strip(".,-")
