"""Makes the layout model's boxes usable: no doubles, no false tables, each line in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dsocr.engines.embedded.line import Line, Rect, Region
from dsocr.engines.embedded.order import Atom, is_prose, rows_of
from dsocr.engines.embedded.paragraphs import enclose

_LINE_SHARE = 0.4
_DOUBLE_SHARE = 0.7
_PROSE_CHARACTERS = 25

Assigned = list[tuple[Region, tuple[Line, ...]]]


def settle(regions: Sequence[Region], lines: Sequence[Line]) -> tuple[Assigned, list[Line]]:
    """Regions with their lines, and the lines in none. Tables choose first, empty texts go."""
    kept = drop_doubles([region for region in regions if not is_false(region, lines)])
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
    if is_prose(inside):
        return True
    rows = rows_of([Atom(line.rect, (line,)) for line in inside])
    return sum(len(row) > 1 for row in rows) < max(2, 0.3 * len(rows))


def share_inside(rect: Rect, other: Rect) -> float:
    """How much of the first lies in the second, 0-1."""
    return rect.intersection(other) / max(rect.area, 1e-9)
