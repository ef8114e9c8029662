"""The regions of tables: ruled ones, grids that the layout model missed, headings above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.blocks.frames import are_across
from dsocr.engines.ppocr.blocks.regions import DUPLICATE_SHARE, STRUCTURES, Assigned
from dsocr.engines.ppocr.blocks.table_extent import is_sentence_long, split_surroundings
from dsocr.engines.ppocr.geometry import Line, Rect, Region, enclose, share_inside
from dsocr.engines.ppocr.reading_order.columns import arrange
from dsocr.engines.ppocr.reading_order.items import line_items, line_rows, rows_of
from dsocr.engines.ppocr.reading_order.row_pairs import bound_beside, is_value, repeats_list
from dsocr.engines.ppocr.tables.grid_rows import grids_in
from dsocr.engines.ppocr.tables.rules import RuledTable, is_inside
from dsocr.engines.ppocr.tables.side_by_side import tables_in, titled_tables_in
from dsocr.engines.ppocr.tables.text_grids import text_grids_in
from dsocr.engines.ppocr.tables.white_space import column_separators, is_number

_INSIDE_RULES = 0.5  # of a region's area
_HEADING_ROWS = 4
_HEADING_STEP = 0.75  # of a line's height, from a heading of a table to one above it
_LARGER = 1.3  # than the table's lines
_MANY_ENTRIES = 0.6  # of the columns
_WIDE_HEADINGS = 0.35  # of a row of headings, which may be wider than the entries
_MOST_ROWS = 0.7  # of a table's rows end in a value
_MOST_CELLS = 0.6  # of the cells beside the first ones are values
_HEADING_SLACK = 2.0  # of a line's height: a heading at the left over numbers at the right


def assign_ruled(
    tables: Sequence[RuledTable], lines: Sequence[Line]
) -> tuple[Assigned, list[Line]]:
    """Tables drawn with rules, each with its lines; and the lines in none."""
    left = list(lines)
    assigned: Assigned = []
    for table in tables:
        inside = tuple(line for line in left if is_inside(line.rect, table.rect))
        left = [line for line in left if line not in inside]
        if inside:
            assigned.append((Region("table", table.rect, 1.0), inside))
    return assigned, left


def outside_ruled(regions: Sequence[Region], tables: Sequence[RuledTable]) -> list[Region]:
    """The regions without those in a ruled table, and without tables around one."""
    return [
        region
        for region in regions
        if not any(
            share_inside(region.rect, table.rect) > _INSIDE_RULES
            or (region.label == "table" and share_inside(table.rect, region.rect) > DUPLICATE_SHARE)
            for table in tables
        )
    ]


def with_grids(
    assigned: Assigned, free: Sequence[Line], *, right_to_left: bool, frames: Sequence[Rect] = ()
) -> tuple[Assigned, list[Line]]:
    """Adds the tables that the layout model missed, from its texts and from lines in no region.

    Frames side by side are no table.
    """
    structures, beside = _trimmed_structures(assigned)
    texts = [(region, lines) for region, lines in assigned if region.label not in STRUCTURES]
    free = [*free, *beside]
    loose = [*free, *(line for _, lines in texts for line in lines)]
    grids = [
        grid
        for grid in grids_in(arrange(line_items(loose), right_to_left=right_to_left))
        if not are_across(grid, frames)
    ]
    taken = {id(line) for grid in grids for line in grid}
    rows = rows_of(line_items([line for line in loose if id(line) not in taken]))
    grids += [grid for grid in grids_in([rows]) if _is_invoice(grid, frames)]
    taken = {id(line) for grid in grids for line in grid}
    wrapped = text_grids_in([line for line in loose if id(line) not in taken])
    grids += [grid for grid in wrapped if not are_across(grid, frames)]
    taken = {id(line) for grid in grids for line in grid}
    tables = [*structures, *(_table(grid) for grid in grids)]
    loose_rows = [line for line in loose if id(line) not in taken]
    tables, in_rows = _with_rows(tables, loose_rows, frames)
    taken.update(in_rows)
    tables = _with_lists_apart(tables)
    tables, in_headings = _with_headings(tables, [line for line in loose if id(line) not in taken])
    taken.update(in_headings)
    tables, titles = _with_titled_apart(tables)
    left = [*(line for line in free if id(line) not in taken), *titles]
    return [*tables, *_without_lines(texts, taken)], left


def _is_invoice(grid: Sequence[Line], frames: Sequence[Rect]) -> bool:
    """Whether rows across the page's columns are those of one table: words first, a value last.

    Its columns may stand so far apart that the page's gutters run through it.
    """
    rows = [row for row in line_rows(grid) if len(row) > 2]
    ends = sum(is_value(row[-1].text) for row in rows)
    inner = [line for row in rows for line in row[1:]]
    if ends < _MOST_ROWS * len(rows) or are_across(grid, frames):
        return False
    values = sum(is_value(line.text) for line in inner)
    return values >= _MOST_CELLS * len(inner) and not _lists_in(grid)


def _with_lists_apart(assigned: Assigned) -> Assigned:
    """The regions; a table that is several lists side by side becomes as many."""
    apart: Assigned = []
    for region, lines in assigned:
        lists = _lists_in(lines) if region.label == "table" else []
        apart.extend([(_around(region, part), part) for part in lists] or [(region, lines)])
    return apart


def _with_titled_apart(assigned: Assigned) -> tuple[Assigned, list[Line]]:
    """The regions; tables side by side with titles over them become as many. And the titles."""
    apart: Assigned = []
    titles: list[Line] = []
    for region, lines in assigned:
        parts = titled_tables_in(lines) if region.label == "table" else [lines]
        if len(parts) == 1:
            apart.append((region, lines))
            continue
        for part in parts:
            title, *rows = line_rows(part)
            inside = tuple(line for row in rows for line in row)
            titles.extend(title)
            apart.append((_around(region, inside), inside))
    return apart, titles


def _lists_in(lines: Sequence[Line]) -> list[tuple[Line, ...]]:
    """The lists or tables that stand side by side; none if it is one table."""
    tables = tables_in(lines)
    if len(tables) > 1:
        return tables
    columns = [
        [[line for item in row for line in item.lines] for row in column]
        for column in arrange(line_items(lines))
    ]
    if len(columns) < 2 or not all(repeats_list(*pair) for pair in pairwise(columns)):
        return []
    return [tuple(line for row in column for line in row) for column in columns]


def _trimmed_structures(assigned: Assigned) -> tuple[Assigned, list[Line]]:
    """Figures, and tables without their surroundings; and the lines of those surroundings."""
    structures: Assigned = []
    beside: list[Line] = []
    for region, lines in assigned:
        if region.label == "table":
            inside, around = split_surroundings(region, lines)
            structures.append((region if inside == lines else _around(region, inside), inside))
            beside.extend(around)
        elif region.label in STRUCTURES:
            structures.append((region, lines))
    return structures, beside


def _table(lines: Sequence[Line]) -> tuple[Region, tuple[Line, ...]]:
    return Region("table", enclose([line.rect for line in lines]), 1.0), tuple(lines)


def _with_rows(
    structures: Assigned, loose: Sequence[Line], frames: Sequence[Rect]
) -> tuple[Assigned, set[int]]:
    """The structures, each table with the columns beside it that belong to its rows.

    Those may be lines in no table, whose ids are the second value, or a part that the layout model
    took for another table.
    """
    kept: Assigned = []
    left = list(structures)
    free = list(loose)
    while left:
        region, lines = left.pop(0)
        others = [line for other, own in left if other.label == "table" for line in own]
        beside = bound_beside(lines, [*free, *others]) if region.label == "table" else []
        if not beside or are_across([*lines, *beside], frames):
            kept.append((region, lines))
            continue
        taken = {id(line) for line in beside}
        free = [line for line in free if id(line) not in taken]
        whole = (*lines, *beside)
        left = [(_around(region, whole), whole), *_without_lines(left, taken)]
    rest = {id(line) for line in free}
    return kept, {id(line) for line in loose} - rest


def _with_headings(structures: Assigned, loose: Sequence[Line]) -> tuple[Assigned, set[int]]:
    """The structures, tables with the headings above them; and the ids of the headings' lines."""
    taken: set[int] = set()
    extended: Assigned = []
    for region, lines in structures:
        if region.label == "table":
            above = heading_above(lines, [line for line in loose if id(line) not in taken])
            taken.update(id(line) for line in above)
            lines = (*above, *lines)
            region = _around(region, lines)
        extended.append((region, lines))
    return extended, taken


def _without_lines(texts: Assigned, taken: set[int]) -> Assigned:
    """The texts without the lines that tables have taken; empty ones are left out."""
    kept: Assigned = []
    for region, lines in texts:
        rest = tuple(line for line in lines if id(line) not in taken)
        if len(rest) == len(lines):
            kept.append((region, lines))
        elif rest:
            kept.append((_around(region, rest), rest))
    return kept


def heading_above(table: Sequence[Line], loose: Sequence[Line]) -> list[Line]:
    """Rows of several short lines right above a table, over its columns: its missing headings."""
    around = enclose([line.rect for line in table])
    height = median(line.rect.height for line in table)
    above = [
        line
        for line in loose
        if line.rect.y1 < around.y0 + 0.5 * height
        and line.rect.x0 < around.x1
        and line.rect.x1 > around.x0
    ]
    slack = _HEADING_SLACK * height
    rows = line_rows(table)
    is_bare = any(is_number(line.text) for line in rows[0])
    separators = column_separators(rows)
    heading: list[Line] = []
    pending: list[Line] = []  # a row of one line counts only under a row of several
    top = around.y0
    for row in reversed(line_rows(above)[-_HEADING_ROWS:]):
        rect = enclose([line.rect for line in row])
        outside = rect.x0 < around.x0 - slack or rect.x1 > around.x1 + slack
        room = height if is_bare and not heading else _HEADING_STEP * height
        if outside or top - rect.y1 > room or any(is_sentence_long(line) for line in row):
            break
        if _is_title(row, height) or _is_row_of_other_columns(row, separators):
            break
        pending.extend(row)
        top = rect.y0
        if len(row) > 1:
            heading, pending = [*heading, *pending], []
    return heading


def _is_title(row: Sequence[Line], height: float) -> bool:
    """Whether its letters are larger than those of a table with lines so high."""
    return min(line.height for line in row) > _LARGER * height


def _is_row_of_other_columns(row: Sequence[Line], separators: Sequence[float]) -> bool:
    """Whether many entries stand where a table has the white between its columns."""
    spans = [(line.rect.x0 + line.height / 2, line.rect.x1 - line.height / 2) for line in row]
    crosses = sum(any(x0 < x < x1 for x in separators) for x0, x1 in spans)
    return crosses > _WIDE_HEADINGS * len(row) and len(row) >= max(
        2, _MANY_ENTRIES * (len(separators) + 1)
    )


def _around(region: Region, lines: Sequence[Line]) -> Region:
    return replace(region, rect=enclose([line.rect for line in lines]))
