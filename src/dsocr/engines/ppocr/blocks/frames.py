"""Finds drawn frames and shaded cards: rectangles that hold several rows of text."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dsocr.engines.ppocr.blocks.regions import Assigned
from dsocr.engines.ppocr.geometry import Line, Rect, Region, share_inside
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.reading_order.items import line_rows
from dsocr.engines.ppocr.tables.rules import RuledTable, is_inside

_EDGES = (20, 50)  # of Canny's detector: a shade of 5 % has an edge
_SPREAD = 5  # pixels by which edges grow, so that small breaks close
_MIN_WIDTH, _MIN_HEIGHT = 4.0, 2.5  # of a line's height
_RECTANGULAR = 0.9  # of its bounding box
_MAX_TEXT = 0.8  # of the page's lines: more, and it is the page's own border
_MIN_ROWS = 2
_SAME = 0.85  # of the area
_PARTLY = 0.1  # of a table's area


def frames_of(
    image: Pixels, lines: Sequence[Line], ruled: Sequence[RuledTable], body: float
) -> list[Rect]:
    """Rectangles around two rows of text or more, without the cells of ruled tables."""
    frames: list[Rect] = []
    for rect in sorted(_rectangles(image, body), key=lambda rect: rect.area):
        inside = [line for line in lines if is_inside(line.rect, rect)]
        if (
            len(inside) < _MIN_ROWS
            or len(inside) > _MAX_TEXT * len(lines)
            or len(line_rows(inside)) < _MIN_ROWS
            or any(rect.intersection(table.rect) > 0 for table in ruled)
            or any(_are_same(rect, other) for other in frames)
        ):
            continue
        frames.append(rect)
    return frames


def without_crossing(regions: Sequence[Region], frames: Sequence[Rect]) -> list[Region]:
    """The regions without those of text and tables that reach over several frames."""
    return [
        region
        for region in regions
        if region.label == "figure" or _num_reached(region.rect, frames) < 2
    ]


def without_tables(frames: Sequence[Rect], assigned: Assigned) -> list[Rect]:
    """The frames without those that are part of a table: the shade of its rows, its heading."""
    tables = [region.rect for region, _ in assigned if region.label == "table"]
    return [
        frame
        for frame in frames
        if not any(
            share_inside(table, frame) < _SAME
            and table.intersection(frame) > _PARTLY * min(table.area, frame.area)
            for table in tables
        )
    ]


def are_across(lines: Sequence[Line], frames: Sequence[Rect]) -> bool:
    """Whether the lines stand in several frames that are side by side."""
    holding = [frame for frame in frames if any(is_inside(line.rect, frame) for line in lines)]
    return any(
        min(first.y1, second.y1) - max(first.y0, second.y0) > 0 and first.intersection(second) == 0
        for index, first in enumerate(holding)
        for second in holding[:index]
    )


def _rectangles(image: Pixels, body: float) -> list[Rect]:
    edges = cv2.Canny(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), *_EDGES)
    spread = cv2.dilate(edges, np.ones((_SPREAD, _SPREAD), np.uint8))
    contours, hierarchy = cv2.findContours(spread, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    found: list[Rect] = []
    for contour, (_, _, _, parent) in zip(contours, hierarchy[0] if contours else (), strict=True):
        x, y, width, height = cv2.boundingRect(contour)
        if parent < 0 or width < _MIN_WIDTH * body or height < _MIN_HEIGHT * body:
            continue
        if cv2.contourArea(contour) > _RECTANGULAR * width * height:
            found.append(Rect(x, y, x + width, y + height))
    return found


def _are_same(first: Rect, second: Rect) -> bool:
    return first.intersection(second) > _SAME * max(first.area, second.area)


def _num_reached(rect: Rect, frames: Sequence[Rect]) -> int:
    """The number of frames that hold a part of the rectangle."""
    return sum(rect.intersection(frame) > _PARTLY * min(rect.area, frame.area) for frame in frames)
