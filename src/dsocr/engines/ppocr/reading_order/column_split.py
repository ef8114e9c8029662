"""Splits items that stand side by side into columns, at the white gutters between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.reading_order.items import WHOLES, LayoutItem, line_rows
from dsocr.engines.ppocr.reading_order.prose import text_weight
from dsocr.engines.ppocr.reading_order.row_pairs import belong_by_rows, is_key, is_keyed

Interval = tuple[float, float]
"""From x to x."""
Items = list[LayoutItem]

_TRIM = 0.25  # detection boxes exceed the ink by about this share of their height
_TRIM_SIDE = 0.45  # neighbours in narrow columns even overlap
_MIN_GUTTER = 0.35  # of a line's height, after the trim
_MIN_ROWS = 3
_MIN_REGION_ROWS = 2
_MOST_KEYED = 0.75  # of the rows
_MIN_FILL = 0.5  # a column of text is at least half full on its median row
_MIN_WEIGHT = 9.0
_FULL = 0.85  # of the widest row
_MIN_FULL_WEIGHT = 24.0
_MIN_FULL_ROWS = 0.25
_MAX_CROSSING = 0.25  # of the items' height
_CROSSING_STEP = 0.3  # of a line's height, right of an item's edge


def gutters_between(items: Sequence[LayoutItem], line_height: float) -> list[Interval]:
    """Vertical white stripes with items on both sides."""
    spans = sorted((trimmed(item).x0, trimmed(item).x1) for item in items)
    gutters: list[Interval] = []
    right = spans[0][1]
    for x0, x1 in spans[1:]:
        if x0 - right >= _MIN_GUTTER * line_height:
            gutters.append((right, x0))
        right = max(right, x1)
    return gutters


def split_at_gutters(items: Items, line_height: float) -> list[Items]:
    """The columns, left to right; what does not read as a column is joined to a neighbour."""
    gutters = gutters_between(items, line_height)
    edges = [(left + right) / 2 for left, right in gutters]
    widths = [right - left for left, right in gutters]
    columns: list[Items] = [[] for _ in range(len(edges) + 1)]
    for item in items:
        columns[sum(edge < item.rect.x0 + item.rect.width / 2 for edge in edges)].append(item)
    lists = _join_rows(columns, widths)
    while len(columns) > 1:
        places = range(len(columns))
        weak = next((i for i in places if not _stands_alone(i, columns, lists)), None)
        if weak is None:
            break
        at_left = weak == len(widths) or (weak > 0 and widths[weak - 1] < widths[weak])
        left = weak - 1 if at_left else weak
        columns[left : left + 2] = [columns[left] + columns[left + 1]]
        lists[left : left + 2] = [lists[left] or lists[left + 1]]
        del widths[left]
    return columns


def _join_rows(columns: list[Items], widths: list[float]) -> list[bool]:
    """Joins labels with their values, in place; which of the columns are then such lists."""
    joins = [
        _are_bound(
            [item for column in columns[: i + 1] for item in column],
            [item for column in columns[i + 1 :] for item in column],
        )
        for i in range(len(widths))
    ]
    lists = [False] * len(columns)
    for i in reversed(range(len(joins))):
        if joins[i]:
            columns[i : i + 2] = [columns[i] + columns[i + 1]]
            lists[i : i + 2] = [True]
            del widths[i]
    return lists


def _stands_alone(index: int, columns: Sequence[Items], lists: Sequence[bool]) -> bool:
    """Whether it reads as a column, or is a list of keys, or of labels beside another list, beside
    entries with keys of their own or beside one region, or is that region."""
    places = [i for i in (index - 1, index + 1) if 0 <= i < len(columns)]
    beside = any(lists[i] for i in places)
    if lists[index] and (beside or _has_keys(columns[index])):
        return True
    if lists[index] and any(_are_keyed(columns[i]) or _is_whole(columns[i]) for i in places):
        return True
    return (beside and _is_whole(columns[index])) or reads_as_column(columns[index])


def _has_keys(items: Items) -> bool:
    rows = line_rows([line for item in items for line in item.lines])
    return 2 * sum(is_key(row[0]) for row in rows) > len(rows)


def _are_keyed(items: Items) -> bool:
    """Whether nearly all of several rows are a key, or a key with its value."""
    rows = line_rows([line for item in items for line in item.lines])
    keyed = sum(len(row) == 1 and (is_key(row[0]) or is_keyed(row[0].text)) for row in rows)
    return len(rows) >= _MIN_ROWS and keyed >= _MOST_KEYED * len(rows)


def _is_whole(items: Sequence[LayoutItem]) -> bool:
    """Whether it is one region of several rows: those cannot be put among the rows beside it."""
    return len(items) == 1 and bool(items[0].label) and len(line_rows(items[0].lines)) >= _MIN_ROWS


def _are_bound(left: Sequence[LayoutItem], right: Sequence[LayoutItem]) -> bool:
    """Whether the text at both sides is read row by row; `left` and `right` are rows or regions.

    A region with values beside its rows would not be ordered as one (`blocks/layout_items.py`).
    """
    if any(item.label in WHOLES for item in (*left, *right)) or _is_whole(left) or _is_whole(right):
        return False
    return belong_by_rows(
        *([line for item in side for line in item.lines] for side in (left, right))
    )


def reads_as_column(items: Sequence[LayoutItem]) -> bool:
    """Whether these look like text set in a column, not like cells, labels or prices."""
    if any(item.label in WHOLES for item in items):
        return True
    lines = [line for item in items for line in item.lines]
    rows = line_rows(lines)
    if len(rows) < (_MIN_REGION_ROWS if any(item.label for item in items) else _MIN_ROWS):
        return False
    widths = [row[-1].rect.x1 - row[0].rect.x0 for row in rows]
    width = max(line.rect.x1 for line in lines) - min(line.rect.x0 for line in lines)
    weights = [sum(_weight(line.text) for line in row) for row in rows]
    if median(widths) >= _MIN_FILL * width and median(weights) >= _MIN_WEIGHT:
        return True
    return _holds_running_text(widths, weights)


def _holds_running_text(widths: Sequence[float], weights: Sequence[float]) -> bool:
    """Whether full rows of text follow one another: a list below them may have short rows."""
    full = [
        width > _FULL * max(widths) and weight >= _MIN_FULL_WEIGHT
        for width, weight in zip(widths, weights, strict=True)
    ]
    pairs = sum(above and below for above, below in pairwise(full))
    return bool(pairs) and sum(full) >= _MIN_FULL_ROWS * len(full)


def _weight(text: str) -> float:
    """The number of its letters, with the digits between words ("Order 5519"), not of a date."""
    letters = text_weight(text)
    digits = sum(char.isdigit() for char in text)
    return letters + digits if letters > digits or is_keyed(text) else letters


@dataclass(frozen=True, slots=True)
class CrossedGutter:
    """A gutter at x that a few items cross: those divide the columns beside it into bands."""

    x: float
    crossing: Items
    """Top to bottom."""

    def bands(self, items: Sequence[LayoutItem]) -> list[tuple[list[Items], LayoutItem | None]]:
        """Top to bottom: the columns of each band, and the item that crosses the gutter below it.

        Empty columns are left out; no item crosses below the last band.
        """
        rest = [item for item in items if item not in self.crossing]
        bands: list[tuple[list[Items], LayoutItem | None]] = []
        for limit in [*self.crossing, None]:
            above = [i for i in rest if limit is None or i.rect.centre_y < limit.rect.centre_y]
            rest = [item for item in rest if item not in above]
            left = [item for item in above if trimmed(item).x1 <= self.x]
            right = [item for item in above if trimmed(item).x1 > self.x]
            bands.append(([side for side in (left, right) if side], limit))
        return bands


def find_crossed_gutter(items: Sequence[LayoutItem], line_height: float) -> CrossedGutter | None:
    """The gutter between two columns of text that the fewest items cross."""
    best: tuple[float, float] | None = None
    total = sum(item.rect.height for item in items)
    for x in sorted({trimmed(item).x1 + _CROSSING_STEP * line_height for item in items}):
        crossing = sum(item.rect.height for item in items if _crosses(item, x))
        few = crossing <= _MAX_CROSSING * total and (best is None or crossing < best[0])
        if few and _divides_columns(items, x):
            best = (crossing, x)
    if best is None:
        return None
    crossing_items = [item for item in items if _crosses(item, best[1])]
    return CrossedGutter(best[1], sorted(crossing_items, key=lambda item: item.rect.y0))


def _divides_columns(items: Sequence[LayoutItem], x: float) -> bool:
    left = [item for item in items if trimmed(item).x1 <= x]
    right = [item for item in items if trimmed(item).x0 >= x]
    return all(side and reads_as_column(side) for side in (left, right)) and not _are_bound(
        left, right
    )


def _crosses(item: LayoutItem, x: float) -> bool:
    return trimmed(item).x0 < x < trimmed(item).x1


def trimmed(item: LayoutItem) -> Rect:
    """The rectangle closer to the ink, so that boxes which only touch hide no gap."""
    height = min([line.rect.height for line in item.lines] or [item.rect.height / 10])
    rect = item.rect
    trim_x, trim_y = min(_TRIM_SIDE * height, rect.width / 3), min(_TRIM * height, rect.height / 3)
    return Rect(rect.x0 + trim_x, rect.y0 + trim_y, rect.x1 - trim_x, rect.y1 - trim_y)
