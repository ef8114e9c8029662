"""Reading order from white space: bands from top to bottom, columns in them, rows in those.

Knows rectangles and how wide text runs, not what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from dsocr.engines.ppocr.geometry import Line, Rect

Interval = tuple[float, float]

_TRIM = 0.25  # detection boxes stand out over the ink by about this share of their height
_TRIM_SIDE = 0.45  # neighbours in narrow columns even overlap
_MIN_GUTTER = 0.35  # of a line's height, after the trim
_WIDE_GUTTER = 2.0  # seen in one row alone, this is a gutter all the same
_MIN_COLUMN_ROWS = 3
_MIN_FILL = 0.5  # a column of text is at least half full on its median row
_MIN_COLUMN_CHARACTERS = 9.0
_MIN_PROSE_ROWS = 7
_MIN_PROSE_CHARACTERS = 20.0
_MAX_CROSSING = 0.25


@dataclass(frozen=True, slots=True)
class LayoutItem:
    """What is ordered as one thing: a line, or a region with the lines in it."""

    rect: Rect
    lines: tuple[Line, ...]
    label: str | None = None
    """The region's class; None for a line in no region."""


Column = list[list[LayoutItem]]
"""Rows of one column, each from left to right."""


def arrange(atoms: Sequence[LayoutItem], *, right_to_left: bool = False) -> list[Column]:
    """Columns in reading order. Neighbouring bands that are one column wide are one run."""
    if not atoms:
        return []
    placed = [_mirrored(atom) for atom in atoms] if right_to_left else list(atoms)
    joined: list[tuple[Column, bool]] = []
    for run, is_column in _bands(placed, _line_height(placed)):
        if joined and not is_column and not joined[-1][1]:
            joined[-1][0].extend(run)
        else:
            joined.append((run, is_column))
    if not right_to_left:
        return [run for run, _ in joined]
    originals = {id(new): old for new, old in zip(placed, atoms, strict=True)}
    return [[[originals[id(atom)] for atom in row] for row in run] for run, _ in joined]


def _mirrored(atom: LayoutItem) -> LayoutItem:
    """Seen in a mirror, text from right to left is ordered like any other."""
    rect = atom.rect
    return replace(atom, rect=Rect(-rect.x1, rect.y0, -rect.x0, rect.y1))


def rows_of(atoms: Sequence[LayoutItem]) -> Column:
    """Atoms that stand on one line together, top to bottom, each row from left to right."""
    rows: list[list[LayoutItem]] = []
    for atom in sorted(atoms, key=lambda atom: atom.rect.y0 + atom.rect.y1):
        if rows and all(_same_row(atom, other) for other in rows[-1]):
            rows[-1].append(atom)
        else:
            rows.append([atom])
    return [sorted(row, key=lambda atom: atom.rect.x0) for row in rows]


def _same_row(first: LayoutItem, second: LayoutItem) -> bool:
    if not _beside(first.rect, second.rect):
        return False
    shared = min(first.rect.y1, second.rect.y1) - max(first.rect.y0, second.rect.y0)
    return shared > 0.5 * min(first.rect.height, second.rect.height) and shared > 0.3 * max(
        first.rect.height, second.rect.height
    )


def _beside(first: Rect, second: Rect) -> bool:
    return min(first.x1, second.x1) - max(first.x0, second.x0) < 0.2 * min(
        first.width, second.width
    )


def _bands(atoms: list[LayoutItem], height: float) -> list[tuple[Column, bool]]:
    """Runs of these atoms; True marks one that stands in a column of its own."""
    strips = _strips(atoms)
    runs: list[tuple[Column, bool]] = []
    for group in _groups(strips, height):
        together = [atom for strip in group for atom in strip]
        columns = _columns(together, height)
        if len(columns) > 1:
            runs.extend(_side_by_side(columns, height))
            continue
        for strip in group:
            crossed = _crossed_columns(strip, height) if len(rows_of(strip)) > 2 else None
            runs.extend(crossed if crossed else [(rows_of(strip), False)])
    return runs


def _side_by_side(columns: list[list[LayoutItem]], height: float) -> list[tuple[Column, bool]]:
    runs: list[tuple[Column, bool]] = []
    for column in columns:
        inner = _bands(column, height)
        if all(not is_column for _, is_column in inner):
            runs.append(([row for run, _ in inner for row in run], True))
        else:
            runs.extend((run, True) for run, _ in inner)
    return runs


def _strips(atoms: list[LayoutItem]) -> list[list[LayoutItem]]:
    """Cuts where a horizontal white line runs right through."""
    strips: list[list[LayoutItem]] = []
    bottom = float("-inf")
    for atom in sorted(atoms, key=lambda atom: _trimmed(atom).y0):
        rect = _trimmed(atom)
        if rect.y0 >= bottom:
            strips.append([])
        strips[-1].append(atom)
        bottom = max(bottom, rect.y1)
    return strips


def _groups(strips: list[list[LayoutItem]], height: float) -> list[list[list[LayoutItem]]]:
    """Joins neighbouring strips that are divided by the same gutters."""
    gutters = [_gutters(strip, height) for strip in strips]
    groups: list[list[list[LayoutItem]]] = []
    held: list[Interval] = []
    for index, strip in enumerate(strips):
        around = [g for i in (index - 1, index + 1) if 0 <= i < len(strips) for g in gutters[i]]
        lone = len(rows_of(strip)) < 2
        # A gap in one row alone may be a wide blank: its width or its neighbours make it a gutter.
        firm = [
            gutter
            for gutter in gutters[index]
            if not lone
            or gutter[1] - gutter[0] > _WIDE_GUTTER * height
            or any(_meet(gutter, other) for other in around)
        ]
        if groups:
            merged = _gutters([atom for part in groups[-1] for atom in part] + strip, height)
            if _survives(merged, held, firm):
                groups[-1].append(strip)
                held = [g for g in merged if any(_meet(g, other) for other in held + firm)]
                continue
        groups.append([strip])
        held = firm
    return groups


def _survives(merged: list[Interval], held: list[Interval], firm: list[Interval]) -> bool:
    """Whether two bands read as one: a gutter of theirs runs through both.

    A headline may close some gutters below it, not all; beside a band without gutters (short lines,
    the rest of a column) all must stay open.
    """
    through = [gutter for gutter in merged if any(_meet(gutter, other) for other in held + firm)]
    if held and firm:
        return any(
            any(_meet(g, other) for other in held) and any(_meet(g, other) for other in firm)
            for g in through
        )
    return all(any(_meet(gutter, left) for left in merged) for gutter in held + firm)


def _meet(first: Interval, second: Interval) -> bool:
    return min(first[1], second[1]) > max(first[0], second[0])


def _gutters(atoms: Sequence[LayoutItem], height: float) -> list[Interval]:
    """Vertical white stripes with something on both sides."""
    spans = sorted((_trimmed(atom).x0, _trimmed(atom).x1) for atom in atoms)
    gutters: list[Interval] = []
    right = spans[0][1]
    for x0, x1 in spans[1:]:
        if x0 - right >= _MIN_GUTTER * height:
            gutters.append((right, x0))
        right = max(right, x1)
    return gutters


def _columns(atoms: list[LayoutItem], height: float) -> list[list[LayoutItem]]:
    """Splits at the gutters, then gives back to a neighbour what does not read as a column."""
    edges = [(left + right) / 2 for left, right in _gutters(atoms, height)]
    widths = [right - left for left, right in _gutters(atoms, height)]
    columns: list[list[LayoutItem]] = [[] for _ in range(len(edges) + 1)]
    for atom in atoms:
        columns[sum(edge < atom.rect.x0 + atom.rect.width / 2 for edge in edges)].append(atom)
    while len(columns) > 1:
        weak = next((i for i, column in enumerate(columns) if not reads_as_column(column)), None)
        if weak is None:
            break
        left = (
            weak - 1 if weak == len(widths) or (weak and widths[weak - 1] < widths[weak]) else weak
        )
        columns[left : left + 2] = [columns[left] + columns[left + 1]]
        del widths[left]
    return columns


def reads_as_column(atoms: Sequence[LayoutItem]) -> bool:
    """Whether these look like text set in a column, not like cells, labels or prices."""
    if any(atom.label in ("figure", "table") for atom in atoms):
        return True
    few = 2 if any(atom.label for atom in atoms) else _MIN_COLUMN_ROWS
    lines = [line for atom in atoms for line in atom.lines]
    rows = rows_of([LayoutItem(line.rect, (line,)) for line in lines])
    if len(rows) < few:
        return False
    widths = [row[-1].rect.x1 - row[0].rect.x0 for row in rows]
    width = max(line.rect.x1 for line in lines) - min(line.rect.x0 for line in lines)
    letters = [sum(_weight(atom.lines[0].text) for atom in row) for row in rows]
    return median(widths) >= _MIN_FILL * width and median(letters) >= _MIN_COLUMN_CHARACTERS


def is_prose(lines: Sequence[Line]) -> bool:
    """Whether somewhere many long lines stand right below one another, as no table's cells do."""
    stacks: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.rect.y0):
        if _weight(line.text) < _MIN_PROSE_CHARACTERS:
            continue
        for stack in stacks:
            if _continues(stack[-1].rect, line.rect):
                stack.append(line)
                break
        else:
            stacks.append([line])
    return any(len(stack) >= _MIN_PROSE_ROWS for stack in stacks)


def _continues(above: Rect, below: Rect) -> bool:
    height = above.height
    step = below.y0 - above.y0
    return (
        abs(above.x0 - below.x0) < 2.5 * height
        and 0.4 * height < step < 2.2 * height
        and below.width > 0.6 * above.width
    )


def _weight(text: str) -> float:
    """How much prose a text holds: digits and signs count little, an ideograph for two."""
    return sum(2.0 if char > "\u2e80" else 1.0 for char in text if char.isalpha())


def _crossed_columns(atoms: list[LayoutItem], height: float) -> list[tuple[Column, bool]] | None:
    """Columns divided by a gutter that a few atoms cross: those make the bands."""
    best: tuple[float, float] | None = None
    total = sum(atom.rect.height for atom in atoms)
    for x in sorted({_trimmed(atom).x1 + 0.3 * height for atom in atoms}):
        crossing = sum(a.rect.height for a in atoms if _trimmed(a).x0 < x < _trimmed(a).x1)
        if crossing <= _MAX_CROSSING * total and (best is None or crossing < best[0]):
            sides = (
                [a for a in atoms if _trimmed(a).x1 <= x],
                [a for a in atoms if _trimmed(a).x0 >= x],
            )
            if all(side and reads_as_column(side) for side in sides):
                best = (crossing, x)
    if best is None:
        return None
    x = best[1]
    crossing_atoms = sorted(
        (a for a in atoms if _trimmed(a).x0 < x < _trimmed(a).x1), key=lambda a: a.rect.y0
    )
    rest = [a for a in atoms if a not in crossing_atoms]
    runs: list[tuple[Column, bool]] = []
    for limit in [*crossing_atoms, None]:
        above = [a for a in rest if limit is None or _middle(a) < _middle(limit)]
        rest = [a for a in rest if a not in above]
        sides_above = [
            [a for a in above if _trimmed(a).x1 <= x],
            [a for a in above if _trimmed(a).x1 > x],
        ]
        runs.extend(_side_by_side([side for side in sides_above if side], height))
        if limit is not None:
            runs.append(([[limit]], False))
    return runs


def _middle(atom: LayoutItem) -> float:
    return (atom.rect.y0 + atom.rect.y1) / 2


def _trimmed(atom: LayoutItem) -> Rect:
    """The rectangle nearer to the ink, so that boxes which only touch do not hide a gap."""
    height = min([line.rect.height for line in atom.lines] or [atom.rect.height / 10])
    rect = atom.rect
    trim_x, trim_y = min(_TRIM_SIDE * height, rect.width / 3), min(_TRIM * height, rect.height / 3)
    return Rect(rect.x0 + trim_x, rect.y0 + trim_y, rect.x1 - trim_x, rect.y1 - trim_y)


def _line_height(atoms: Sequence[LayoutItem]) -> float:
    heights = [line.rect.height for atom in atoms for line in atom.lines]
    return median(heights or [atom.rect.height for atom in atoms])
