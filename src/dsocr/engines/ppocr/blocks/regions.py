"""Makes the layout model's boxes usable: no doubles, no false tables, each line in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from dsocr.engines.ppocr.geometry import Line, Rect, Region
from dsocr.engines.ppocr.reading_order.columns import Column, LayoutItem, arrange, is_prose, rows_of
from dsocr.engines.ppocr.reading_order.paragraphs import enclose
from dsocr.engines.ppocr.tables.grid_rows import grids_in
from dsocr.engines.ppocr.tables.rules import RuledTable, is_inside

_LINE_SHARE = 0.4
_DOUBLE_SHARE = 0.7
_PROSE_CHARACTERS = 25
_INSIDE_RULES = 0.5
_SENTENCE = 40
_MANY_ROWS = 12
_SHORT_CELL = 10
_HEADING_ROWS = 4
_NEARLY_ALL = 0.85
_WIDE_STEP = 1.8  # of the usual distance from row to row
_STRUCTURES = ("figure", "table")

Assigned = list[tuple[Region, tuple[Line, ...]]]


def settle(regions: Sequence[Region], lines: Sequence[Line]) -> tuple[Assigned, list[Line]]:
    """Regions with their lines, and the lines in none. Tables choose first, empty texts go."""
    kept = drop_doubles(
        [
            region
            for region in regions
            if not (is_false(region, lines) or _is_prose_around_table(region, regions, lines))
        ]
    )
    left = list(lines)
    assigned: Assigned = []
    for region in kept:
        inside = tuple(line for line in left if share_inside(line.rect, region.rect) > _LINE_SHARE)
        left = [line for line in left if line not in inside]
        if inside:
            grown = enclose([region.rect, *(line.rect for line in inside)])
            assigned.append((replace(region, rect=grown), inside))
        elif region.label == "figure":
            assigned.append((region, ()))
    return assigned, left


def drop_doubles(regions: Sequence[Region]) -> list[Region]:
    """Tables first, then figures, then the better score; what lies inside a kept box goes."""
    kept: list[Region] = []
    rank = {"table": 0, "figure": 1}
    for region in sorted(regions, key=lambda r: (rank.get(r.label, 2), -r.score)):
        if all(share_inside(region.rect, other.rect) < _DOUBLE_SHARE for other in kept):
            kept.append(region)
    return kept


def is_false(region: Region, lines: Sequence[Line]) -> bool:
    """A table without columns, or a figure that is a page of prose."""
    if region.label not in ("table", "figure"):
        return False
    inside = [line for line in lines if share_inside(line.rect, region.rect) > _LINE_SHARE]
    if region.label == "figure":
        prose = [line for line in inside if len(line.text) >= _PROSE_CHARACTERS]
        return len(prose) >= 4 and len(prose) > 0.5 * len(inside)
    rows = rows_of([LayoutItem(line.rect, (line,)) for line in inside])
    if _is_columns_of_text(inside) or (is_prose(inside) and not _has_short_cells(rows)):
        return True
    return sum(len(row) > 1 for row in rows) < max(2, 0.3 * len(rows))


def _is_prose_around_table(
    region: Region, regions: Sequence[Region], lines: Sequence[Line]
) -> bool:
    """A table with a smaller one in it and prose beside that: text and the box it flows around."""
    inner = [
        other.rect
        for other in regions
        if region.label == other.label == "table"
        and share_inside(other.rect, region.rect) > _DOUBLE_SHARE
        and other.rect.area < _DOUBLE_SHARE * region.rect.area
    ]
    beside = [
        line
        for line in lines
        if share_inside(line.rect, region.rect) > _LINE_SHARE
        and all(share_inside(line.rect, rect) <= _LINE_SHARE for rect in inner)
    ]
    return bool(inner) and is_prose(beside)


def share_inside(rect: Rect, other: Rect) -> float:
    """How much of the first lies in the second, 0-1."""
    return rect.intersection(other) / max(rect.area, 1e-9)


def in_ruled(tables: Sequence[RuledTable], lines: Sequence[Line]) -> tuple[Assigned, list[Line]]:
    """Tables drawn with rules, each with its lines; and the lines beside them."""
    left = list(lines)
    assigned: Assigned = []
    for table in tables:
        inside = tuple(line for line in left if is_inside(line.rect, table.rect))
        left = [line for line in left if line not in inside]
        if inside:
            assigned.append((Region("table", table.rect, 1.0), inside))
    return assigned, left


def beside_ruled(regions: Sequence[Region], tables: Sequence[RuledTable]) -> list[Region]:
    """Regions that a drawn table does not settle already: what lies in it, and tables around it."""
    return [
        region
        for region in regions
        if not any(
            share_inside(region.rect, table.rect) > _INSIDE_RULES
            or (region.label == "table" and share_inside(table.rect, region.rect) > _DOUBLE_SHARE)
            for table in tables
        )
    ]


def with_grids(
    assigned: Assigned, free: Sequence[Line], *, right_to_left: bool
) -> tuple[Assigned, list[Line]]:
    """Adds the tables that the layout missed, out of its texts and of the lines in no region."""
    kept: Assigned = []
    free = list(free)
    for region, lines in assigned:
        if region.label in _STRUCTURES:
            inside, beside = _without_surroundings(region, lines)
            kept.append((region if inside == lines else _around(region, inside), inside))
            free.extend(beside)
    texts = [(region, lines) for region, lines in assigned if region.label not in _STRUCTURES]
    loose = [*free, *(line for _, lines in texts for line in lines)]
    runs = arrange([LayoutItem(line.rect, (line,)) for line in loose], right_to_left=right_to_left)
    grids = grids_in(runs)
    taken = {id(line) for grid in grids for line in grid}
    for grid in grids:
        rect = enclose([line.rect for line in grid])
        kept.append((Region("table", rect, 1.0), tuple(grid)))
    for place, (region, lines) in enumerate(kept):
        if region.label == "table":
            above = heading_above(lines, [line for line in loose if id(line) not in taken])
            taken.update(id(line) for line in above)
            kept[place] = (_around(region, [*above, *lines]), (*above, *lines))
    for region, lines in texts:
        rest = tuple(line for line in lines if id(line) not in taken)
        if len(rest) == len(lines):
            kept.append((region, lines))
        elif rest:
            kept.append((_around(region, rest), rest))
    return kept, [line for line in free if id(line) not in taken]


def heading_above(table: Sequence[Line], loose: Sequence[Line]) -> list[Line]:
    """Rows of several short pieces right above a table, over its columns: its headings left out."""
    around = enclose([line.rect for line in table])
    height = median(line.rect.height for line in table)
    above = [
        LayoutItem(line.rect, (line,))
        for line in loose
        if line.rect.y1 < around.y0 + 0.5 * height
        and line.rect.x0 < around.x1
        and line.rect.x1 > around.x0
    ]
    taken: list[Line] = []
    held: list[Line] = []
    top = around.y0
    for row in reversed(rows_of(above)[-_HEADING_ROWS:]):
        rect = enclose([atom.rect for atom in row])
        outside = rect.x0 < around.x0 - height or rect.x1 > around.x1 + height
        if outside or top - rect.y1 > height or any(_is_long(atom) for atom in row):
            break
        held.extend(atom.lines[0] for atom in row)
        top = rect.y0
        if len(row) > 1:
            taken, held = [*taken, *held], []
    return taken


def _is_long(atom: LayoutItem) -> bool:
    return sum(letter.isalpha() for letter in atom.lines[0].text) >= _SENTENCE


def _around(region: Region, lines: Sequence[Line]) -> Region:
    return replace(region, rect=enclose([line.rect for line in lines]))


def _without_surroundings(
    region: Region, lines: tuple[Line, ...]
) -> tuple[tuple[Line, ...], list[Line]]:
    """A table's own lines, and those around it: the layout took a whole form for a table."""
    if region.label != "table":
        return lines, []
    inside = _only_grid(lines)
    beside = [line for line in lines if line not in inside]
    rows = rows_of([LayoutItem(line.rect, (line,)) for line in inside])
    for end in (0, -1):
        while len(rows) > 2 and len(rows[end]) == 1 and _is_sentence(rows[end][0], region):
            beside.extend(rows.pop(end)[0].lines)
    if len(rows) > 3 and _is_lead(rows, region):
        beside.extend(rows.pop(0)[0].lines)
    return tuple(line for line in lines if line not in beside), beside


def _only_grid(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines of the one grid among them, or of the block it stands in; else all."""
    rows = rows_of([LayoutItem(line.rect, (line,)) for line in lines])
    grids = grids_in([rows])
    if len(grids) == 1 and 0.3 * len(lines) < len(grids[0]) < _NEARLY_ALL * len(lines):
        return tuple(grids[0])
    blocks = [[line for atom in block for line in atom.lines] for block in _blocks(rows)]
    largest = max(blocks, key=len, default=[])
    if not 0.5 * len(lines) < len(largest) < len(lines):
        return lines
    found = grids_in([rows_of([LayoutItem(line.rect, (line,)) for line in largest])])
    whole = len(found) == 1 and len(found[0]) > _NEARLY_ALL * len(largest)
    return tuple(largest) if whole else lines


def _blocks(rows: Column) -> list[list[LayoutItem]]:
    """The rows' atoms, cut where far more white than usual runs across."""
    tops = [min(atom.rect.y0 for atom in row) for row in rows]
    steps = [below - above for above, below in zip(tops, tops[1:], strict=False)]
    limit = _WIDE_STEP * median(steps) if steps else 0.0
    blocks: list[list[LayoutItem]] = [[]]
    for row, step in zip(rows, [0.0, *steps], strict=True):
        if step > limit:
            blocks.append([])
        blocks[-1].extend(row)
    return blocks


def _is_lead(rows: Column, region: Region) -> bool:
    """One piece at the left over a row of many: a line above the table, no spanning heading."""
    first = rows[0][0]
    at_left = first.rect.x0 < region.rect.x0 + 0.1 * region.rect.width
    return len(rows[0]) == 1 and len(rows[1]) > 2 and at_left


def _is_sentence(atom: LayoutItem, region: Region) -> bool:
    return _is_long(atom) and atom.rect.width > 0.6 * region.rect.width


def _is_columns_of_text(lines: Sequence[Line]) -> bool:
    """Narrow columns of many rows without figures, as in newspapers."""
    if sum(any(char.isdigit() for char in line.text) for line in lines) > 0.1 * len(lines):
        return False
    runs = arrange([LayoutItem(line.rect, (line,)) for line in lines])
    long = [run for run in runs if len(run) >= _MANY_ROWS]
    return len(long) > 1 and sum(map(len, long)) >= 0.9 * sum(map(len, runs))


def _has_short_cells(rows: Column) -> bool:
    """Rows with a few words beside the long ones: cells of a table that also holds sentences."""
    short = [
        sum(len(atom.lines[0].text) <= _SHORT_CELL for atom in row) >= 2 and len(row) > 2
        for row in rows
    ]
    return sum(short) >= 4
