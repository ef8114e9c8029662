"""Lines along the page's side: rotated text in the margin, which belongs to no column."""

from __future__ import annotations

from collections.abc import Sequence

from dsocr.engines.ppocr.geometry import Line, Rect, Region, enclose, share_inside

_TALL = 2.5  # widths: no horizontal line of two letters is so tall
_MIN_HEIGHT = 3.0  # of the heights of the page's lines
_MARGIN = 0.15  # of the page's width
_MIN_LINES = 4
_INSIDE = 0.5  # of a region's area


def split_side_lines(
    lines: Sequence[Line], *, page_width: float, body: float
) -> tuple[list[Line], list[Line]]:
    """The lines, and those that stand upright beside all others in the page's margin."""
    upright = [line for line in lines if _is_upright(line, body)]
    level = [line for line in lines if not _is_upright(line, body)]
    if len(level) < _MIN_LINES:
        return list(lines), []
    left = min(line.rect.x0 for line in level)
    right = max(line.rect.x1 for line in level)
    side = [
        line
        for line in upright
        if (line.rect.x1 < left + body and line.rect.x1 < _MARGIN * page_width)
        or (line.rect.x0 > right - body and line.rect.x0 > (1 - _MARGIN) * page_width)
    ]
    return [line for line in lines if line not in side], side


def _is_upright(line: Line, body: float) -> bool:
    rect = line.rect
    return rect.height > _TALL * rect.width and rect.height > _MIN_HEIGHT * body


def outside_margins(regions: Sequence[Region], side: Sequence[Line]) -> list[Region]:
    """The regions without those that the layout model sees in the side's lines."""
    return [
        region
        for region in regions
        if not any(
            share_inside(region.rect, line.rect) > _INSIDE
            or (share_inside(line.rect, region.rect) > _INSIDE and _is_strip(region))
            for line in side
        )
    ]


def _is_strip(region: Region) -> bool:
    return region.rect.height > _TALL * region.rect.width


def side_groups(side: Sequence[Line]) -> list[list[Line]]:
    """Lines below one another in one margin, as one group each, from top to bottom."""
    groups: list[list[Line]] = []
    for line in sorted(side, key=lambda line: (line.rect.x0 + line.rect.x1, line.rect.y0)):
        if groups and _shares_strip(enclose([other.rect for other in groups[-1]]), line):
            groups[-1].append(line)
        else:
            groups.append([line])
    return [sorted(group, key=lambda line: line.rect.y0) for group in groups]


def _shares_strip(around: Rect, line: Line) -> bool:
    shared = min(around.x1, line.rect.x1) - max(around.x0, line.rect.x0)
    return shared > 0.5 * min(around.width, line.rect.width)
