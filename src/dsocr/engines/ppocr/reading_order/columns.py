"""Reading order from white space: bands from top to bottom, columns in them, rows in those.

Knows rectangles and how wide text runs, not what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

from dsocr.engines.ppocr.geometry import Rect, enclose
from dsocr.engines.ppocr.reading_order.column_split import (
    Interval,
    Items,
    find_crossed_gutter,
    gutters_between,
    split_at_gutters,
    trimmed,
)
from dsocr.engines.ppocr.reading_order.items import (
    FRAME,
    WHOLES,
    Column,
    LayoutItem,
    line_rows,
    rows_of,
)

_CELL_GAP = 2.5  # of a line's height, between rows of slides
_TITLE = 1.5  # of a line's height
_HEAD = 1.15  # of the usual height: a heading
_HEADINGS = ("title", "table_caption")
_FAR_ABOVE = 1.5  # of the gap below a heading
_MIN_ENTRIES = 4
_ENTRY = 18  # characters
_MAX_INDENT = 3.0  # of a line's height
_CENTRED = 0.2  # of the width, twice the distance between two middles
_IN_GUTTER = 0.4  # of the width of a title
_OVER_GAP = 0.3  # of a gap between labels and values
_BELOW_LIST = 1.25  # of the distance from row to row
_WIDE_GUTTER = 2.0  # of a line's height: seen in one row alone, this is a gutter all the same


class _Section(NamedTuple):
    rows: Column
    is_column: bool
    """Whether it stands in a column of its own, beside others."""


def arrange(items: Sequence[LayoutItem], *, right_to_left: bool = False) -> list[Column]:
    """Columns in reading order. Neighbouring bands that are one column wide are one column."""
    if not items:
        return []
    placed = [_mirrored(item) for item in items] if right_to_left else list(items)
    joined: list[_Section] = []
    for section in _bands(placed, _line_height(placed)):
        if joined and not section.is_column and not joined[-1].is_column:
            joined[-1].rows.extend(section.rows)
        else:
            joined.append(section)
    if not right_to_left:
        return [section.rows for section in joined]
    originals = {id(new): old for new, old in zip(placed, items, strict=True)}
    return [[[originals[id(item)] for item in row] for row in rows] for rows, _ in joined]


def _mirrored(item: LayoutItem) -> LayoutItem:
    """The item with its rectangle mirrored: right-to-left text is then ordered like any other."""
    rect = item.rect
    return replace(item, rect=Rect(-rect.x1, rect.y0, -rect.x0, rect.y1))


def _bands(items: Items, height: float) -> list[_Section]:
    """The items' sections in reading order."""
    sections: list[_Section] = []
    for group in _groups(_strips(items), height):
        columns = split_at_gutters([item for strip in group for item in strip], height)
        if len(columns) > 1:
            sections.extend(_side_by_side(columns, height))
            continue
        for strip in group:
            sections.extend(_strip_sections(strip, height))
    return sections


def _strip_sections(strip: Items, height: float) -> list[_Section]:
    """A strip that no gutter divides all the way: a few of its items may cross one."""
    rows = rows_of(strip)
    gutter = find_crossed_gutter(strip, height) if len(rows) > 2 else None
    if gutter is None:
        return [_Section(rows, False)]
    sections: list[_Section] = []
    for columns, crossing in gutter.bands(strip):
        sections.extend(_side_by_side(columns, height))
        if crossing is not None:
            sections.append(_Section([[crossing]], False))
    return sections


def _side_by_side(columns: Sequence[Items], height: float) -> list[_Section]:
    sections: list[_Section] = []
    for column in columns:
        inner = _bands(column, height)
        if all(not section.is_column for section in inner):
            sections.append(_Section([row for section in inner for row in section.rows], True))
        else:
            sections.extend(_Section(section.rows, True) for section in inner)
    return sections


def _strips(items: Items) -> list[Items]:
    """The items divided where a horizontal white line runs right through."""
    strips: list[Items] = []
    bottom = float("-inf")
    for item in sorted(items, key=lambda item: trimmed(item).y0):
        rect = trimmed(item)
        if rect.y0 >= bottom:
            strips.append([])
        strips[-1].append(item)
        bottom = max(bottom, rect.y1)
    return strips


def _groups(strips: list[Items], height: float) -> list[list[Items]]:
    """Neighbouring strips that are divided by the same gutters, joined."""
    gutters = [gutters_between(strip, height) for strip in strips]
    groups: list[list[Items]] = []
    current: list[Interval] = []
    for index, strip in enumerate(strips):
        firm = _firm_gutters(index, strips, gutters, height)
        is_head = bool(groups) and _heads_next(groups[-1], strips[index : index + 2], current)
        if groups and not is_head and not _begins_cells(groups[-1], strip, height):
            last = groups[-1][-1]
            together = [item for part in groups[-1] for item in part] + strip
            merged = gutters_between(together, height)
            across = _is_across(groups[-1], strip, height) or _is_across([strip], last, height)
            closes = _closes_entries(merged, last, current) or _closes_entries(merged, strip, firm)
            closes = closes or _ends_list(groups[-1], strip, current)
            closes = closes or _begins_other_columns(groups[-1], strip, height)
            between = _gap_between(last, strip)
            if not (across or closes) and (between or _are_one_band(merged, current, firm)):
                groups[-1].append(strip)
                known = [*current, *firm, *between]
                current = [gutter for gutter in merged if _meets_any(gutter, known)]
                continue
        groups.append([strip])
        current = firm
    return groups


def _heads_next(
    group: Sequence[Items], strips: Sequence[Items], gutters: Sequence[Interval]
) -> bool:
    """Whether the first strip is the heading of the second, which runs across the columns."""
    if len(strips) < 2 or not gutters or len(strips[0]) != 1 or len(strips[0][0].lines) != 1:
        return False
    above = [item for part in group for item in part]
    if any(_meets_any(g, gutters_between(above + strips[1], 0.0)) for g in gutters):
        return False
    heading, usual = strips[0][0], _usual_height(above)
    if heading.label in _HEADINGS or heading.lines[0].height > _HEAD * usual:
        return True
    before = heading.rect.y0 - max(item.rect.y1 for item in above)
    return before > _FAR_ABOVE * (min(item.rect.y0 for item in strips[1]) - heading.rect.y1)


def _usual_height(items: Items) -> float:
    return median([line.height for item in items for line in item.lines] or [float("inf")])


def _firm_gutters(
    index: int, strips: Sequence[Items], gutters: Sequence[list[Interval]], height: float
) -> list[Interval]:
    """The strip's gutters without gaps that may be wide blanks.

    A gap in one row alone is a gutter if it is wide, or if a neighbouring strip has it too.
    """
    if len(rows_of(strips[index])) > 1:
        return gutters[index]
    around = [g for i in (index - 1, index + 1) if 0 <= i < len(strips) for g in gutters[i]]
    return [
        gutter
        for gutter in gutters[index]
        if gutter[1] - gutter[0] > _WIDE_GUTTER * height or _meets_any(gutter, around)
    ]


def _are_one_band(merged: list[Interval], upper: list[Interval], lower: list[Interval]) -> bool:
    """Whether two strips read as one band: a gutter of theirs runs through both.

    A headline may close some gutters below it, not all; beside a strip without gutters (short
    lines, the rest of a column) all must stay open. `merged` are the gutters of both together.
    """
    if upper and lower:
        return any(_meets_any(g, upper) and _meets_any(g, lower) for g in merged)
    return all(_meets_any(gutter, merged) for gutter in upper + lower)


def _gap_between(upper: Items, lower: Items) -> list[Interval]:
    """The gap between two strips that stand side by side, the rows of one between the other's."""
    above, below = (enclose([item.rect for item in strip]) for strip in (upper, lower))
    left, right = sorted((above, below), key=lambda rect: rect.x0)
    is_between = left.x1 < right.x0 and above.y1 > below.y0
    return [(left.x1, right.x0)] if is_between else []


def _ends_list(group: Sequence[Items], strip: Items, gutters: Sequence[Interval]) -> bool:
    """Whether a line of text under a list reaches over the gap from its labels to its values.

    It stands further below than one row of the list from the next, and its entries are short.
    """
    if len(strip) != 1 or max([len(line.text) for line in strip[0].lines], default=0) <= _ENTRY:
        return False
    rect = strip[0].rect
    if not any(_reaches_over(rect, gutter) for gutter in gutters):
        return False
    above = [line for part in group for item in part for line in item.lines]
    if len(above) < _MIN_ENTRIES or median(len(line.text) for line in above) > _ENTRY:
        return False
    steps = _steps_down([line.rect for line in above])
    first = min(line.rect.centre_y for line in strip[0].lines)
    gap = first - max(line.rect.centre_y for line in above)
    return bool(steps) and gap > _BELOW_LIST * median(steps)


def _reaches_over(rect: Rect, gutter: Interval) -> bool:
    left, right = gutter
    return min(rect.x1, right) - max(rect.x0, left) > _OVER_GAP * (right - left)


def _begins_other_columns(group: Sequence[Items], strip: Items, height: float) -> bool:
    """Whether lines side by side stand well below others, and under none of those at the right."""
    above = [item for part in group for item in part]
    if len(strip) < 2 or any(item.label in WHOLES for item in (*strip, *above)):
        return False
    if min(item.rect.y0 for item in strip) - max(item.rect.y1 for item in above) < height:
        return False
    left = min(item.rect.x0 for item in (*strip, *above)) + _MAX_INDENT * height
    upper = [item.rect for item in above if item.rect.x0 > left]
    lower = [item.rect for item in strip if item.rect.x0 > left]
    return bool(upper and lower) and not any(
        abs(one.x0 - other.x0) < _MAX_INDENT * height or abs(one.x1 - other.x1) < height
        for one in lower
        for other in upper
    )


def _steps_down(rects: Sequence[Rect]) -> list[float]:
    """The distance from each rectangle to the next one below it."""
    ordered = sorted(rects, key=lambda rect: rect.centre_y)
    steps: list[float] = []
    for index, rect in enumerate(ordered):
        below = (
            other.centre_y - rect.centre_y
            for other in ordered[index + 1 :]
            if other.y0 > rect.centre_y and min(rect.x1, other.x1) > max(rect.x0, other.x0)
        )
        steps.extend(step for step in [next(below, 0.0)] if step)
    return steps


def _closes_entries(merged: list[Interval], strip: Items, gutters: list[Interval]) -> bool:
    """Whether a line of text closes most gutters of a row of short entries below or above it.

    A headline may do so over columns of text, but a row of a list has nothing to do with it.
    """
    rows = rows_of(strip)
    texts = [line.text for item in strip for line in item.lines]
    if len(rows) > 1 or len(texts) < _MIN_ENTRIES or median(map(len, texts)) > _ENTRY:
        return False
    return 2 * sum(_meets_any(gutter, merged) for gutter in gutters) < len(gutters)


def _begins_cells(group: Sequence[Items], strip: Items, height: float) -> bool:
    """Whether a new row of cards or slides begins with the strip: these are read row by row."""
    if _are_frames(strip) or _are_frames(group[-1]):
        return True
    lines = [line for item in strip for line in item.lines]
    above = [line for part in group for item in part for line in item.lines]
    if not lines or not above:
        return False
    heads = line_rows(lines)[0]
    gap = min(line.rect.y0 for line in heads) - max(line.rect.y1 for line in above)
    if len(heads) < 2 or gap < _CELL_GAP * height:
        return False
    usual = median(line.height for line in above)
    starts = [line.rect.x0 for line in above]
    return all(
        head.height > _HEAD * usual and min(abs(head.rect.x0 - x) for x in starts) < height
        for head in heads
    )


def _are_frames(strip: Items) -> bool:
    return len(strip) > 1 and all(item.label == FRAME for item in strip)


def _is_across(single: Sequence[Items], beside: Items, height: float) -> bool:
    """Whether a strip is one item in the middle over (or under) another's columns: a title.

    Large letters over the first column are one, too.
    """
    if len(single) != 1 or len(single[0]) != 1 or len(rows_of(beside)[0]) < 2:
        return False
    rect, around = single[0][0].rect, enclose([item.rect for item in beside])
    if rect.y0 < around.y0 and rect.x0 < around.x0 + height and rect.height > _TITLE * height:
        return True
    if any(abs(item.rect.x0 - rect.x0) < _MAX_INDENT * height for item in beside):
        return False
    if abs(rect.x0 + rect.x1 - around.x0 - around.x1) < _CENTRED * around.width:
        return True
    gutters = gutters_between(beside, height)
    return any(
        min(rect.x1, right) - max(rect.x0, left) > _IN_GUTTER * rect.width
        for left, right in gutters
    )


def _meets_any(interval: Interval, others: Sequence[Interval]) -> bool:
    return any(min(interval[1], other[1]) > max(interval[0], other[0]) for other in others)


def _line_height(items: Sequence[LayoutItem]) -> float:
    heights = [line.rect.height for item in items for line in item.lines]
    return median(heights or [item.rect.height for item in items])
