"""Assigns lines to the layout model's regions, without duplicates and false structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dsocr.engines.ppocr.geometry import Line, Region, enclose, share_inside
from dsocr.engines.ppocr.reading_order.columns import arrange
from dsocr.engines.ppocr.reading_order.items import line_items, line_rows
from dsocr.engines.ppocr.reading_order.prose import is_prose

LINE_SHARE = 0.4
"""A line belongs to a region that holds more of its area than this."""
DUPLICATE_SHARE = 0.7
"""A region is a duplicate of one that holds more of its area than this."""
FINISHED = "finished"
"""The class of blocks that need no further step: see `finished.py`."""
STRUCTURES = ("figure", "table", FINISHED)
_PROSE_CHARACTERS = 25
_MIN_PROSE_LINES = 4
_MANY_ROWS = 12
_SHORT_CELL = 10  # characters
_MIN_SHORT_ROWS = 4
_MAX_DIGIT_LINES = 0.1

Assigned = list[tuple[Region, tuple[Line, ...]]]


def assign_lines(regions: Sequence[Region], lines: Sequence[Line]) -> tuple[Assigned, list[Line]]:
    """Regions with their lines, and the lines in none. Tables come first, empty texts are left out.

    A region grows around its lines.
    """
    kept = drop_duplicates(
        [
            region
            for region in regions
            if not (is_false(region, lines) or _is_prose_around_table(region, regions, lines))
        ]
    )
    left = list(lines)
    assigned: Assigned = []
    for region in kept:
        inside = tuple(lines_inside(region, left))
        left = [line for line in left if line not in inside]
        if inside:
            grown = enclose([region.rect, *(line.rect for line in inside)])
            assigned.append((replace(region, rect=grown), inside))
        elif region.label == "figure":
            assigned.append((region, ()))
    return assigned, left


def lines_inside(region: Region, lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if share_inside(line.rect, region.rect) > LINE_SHARE]


def drop_duplicates(regions: Sequence[Region]) -> list[Region]:
    """Tables first, then figures, then by score; regions inside one that is kept are dropped."""
    kept: list[Region] = []
    rank = {"table": 0, "figure": 1}
    for region in sorted(regions, key=lambda r: (rank.get(r.label, 2), -r.score)):
        if all(share_inside(region.rect, other.rect) < DUPLICATE_SHARE for other in kept):
            kept.append(region)
    return kept


def is_false(region: Region, lines: Sequence[Line]) -> bool:
    """Whether it is a table without columns, or a figure that is a page of prose."""
    if region.label not in STRUCTURES:
        return False
    inside = lines_inside(region, lines)
    if region.label == "figure":
        prose = [line for line in inside if len(line.text) >= _PROSE_CHARACTERS]
        return len(prose) >= _MIN_PROSE_LINES and len(prose) > 0.5 * len(inside)
    rows = line_rows(inside)
    if _is_columns_of_text(inside) or (is_prose(inside) and not _has_short_cells(rows)):
        return True
    return sum(len(row) > 1 for row in rows) < max(2, 0.3 * len(rows))


def _is_prose_around_table(
    region: Region, regions: Sequence[Region], lines: Sequence[Line]
) -> bool:
    """Whether it is a table with a smaller one in it, and prose that flows around that."""
    inner = [other for other in regions if _is_smaller_table(other, region)]
    beside = [
        line
        for line in lines_inside(region, lines)
        if all(share_inside(line.rect, other.rect) <= LINE_SHARE for other in inner)
    ]
    return bool(inner) and is_prose(beside)


def _is_smaller_table(inner: Region, outer: Region) -> bool:
    return (
        inner.label == outer.label == "table"
        and share_inside(inner.rect, outer.rect) > DUPLICATE_SHARE
        and inner.rect.area < DUPLICATE_SHARE * outer.rect.area
    )


def _is_columns_of_text(lines: Sequence[Line]) -> bool:
    """Whether these are narrow columns of many rows without numbers, as in newspapers."""
    with_digits = sum(any(char.isdigit() for char in line.text) for line in lines)
    if with_digits > _MAX_DIGIT_LINES * len(lines):
        return False
    columns = arrange(line_items(lines))
    long = [column for column in columns if len(column) >= _MANY_ROWS]
    return len(long) > 1 and sum(map(len, long)) >= 0.9 * sum(map(len, columns))


def _has_short_cells(rows: Sequence[Sequence[Line]]) -> bool:
    """Whether rows have a few words beside the long ones: a table that also holds sentences."""
    short = [
        sum(len(line.text) <= _SHORT_CELL for line in row) >= 2 and len(row) > 2 for row in rows
    ]
    return sum(short) >= _MIN_SHORT_ROWS
