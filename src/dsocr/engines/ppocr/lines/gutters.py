"""Cuts detected lines where a column's gutter runs through them, before they are read.

Detection joins neighbouring columns that stand close, as in newspapers. A gutter is a white stripe
that goes on above and below the line; the blanks between words do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Quad = NDArray[np.float32]

_MIN_GAP = 0.55  # of the line's height
_STRIPE = 0.3
_MIN_RUN = 5.0
_MIN_PART = 1.2
_MAX_TILT = 0.3
_MAX_SHARED = 1.5  # of its height
_SPECK = 0.07  # of a line's height; full stops are larger
_CLEAR = 0.1
_EDGE = 0.2  # of the height at a line's top and bottom, where its neighbours' ink may reach in


def cut_at_gutters(image: NDArray[np.uint8], quads: Sequence[Quad]) -> list[Quad]:
    """The same quads in their order, those across a gutter replaced by their parts, left first."""
    long = [quad for quad in quads if _size(quad)[0] > 2 * _MIN_PART * _size(quad)[1]]
    if not long:
        return list(quads)
    height = float(np.median([_size(quad)[1] for quad in long]))
    ink = ink_of(image, height)
    total = cv2.integral(ink)
    cut: list[Quad] = []
    for quad in quads:
        cut.extend(_parts(quad, _gutters_through(quad, ink, total, height)))
    return cut


def apart(image: NDArray[np.uint8], quads: Sequence[Quad]) -> list[Quad]:
    """The same quads, those of one row that overlap drawn back to the white between their inks.

    Detection grows what it finds, in narrow columns into each other.
    """
    level = [index for index, quad in enumerate(quads) if _is_level(quad)]
    pairs = _overlapping([quads[index] for index in level])
    if not pairs:
        return list(quads)
    moved = [quad.copy() for quad in quads]
    ink = ink_of(image, float(np.median([_size(quads[index])[1] for index in level])))
    for left, right in pairs:
        _draw_back(moved[level[left]], moved[level[right]], ink)
    return moved


def _overlapping(quads: Sequence[Quad]) -> list[tuple[int, int]]:
    """Pairs of neighbours, left first, that stand on one row and share a little of it."""
    if len(quads) < 2:
        return []
    low, high = (
        np.array([getattr(quad, side)(axis=0) for quad in quads]) for side in ("min", "max")
    )
    heights = high[:, 1] - low[:, 1]
    pairs = []
    for left in range(len(quads)):
        shared_x = high[left, 0] - low[:, 0]
        shared_y = np.minimum(high[left, 1], high[:, 1]) - np.maximum(low[left, 1], low[:, 1])
        near = (shared_x > 0) & (shared_x < _MAX_SHARED * heights[left])
        near &= (low[:, 0] > low[left, 0]) & (high[:, 0] > high[left, 0])
        near &= shared_y > 0.5 * np.minimum(heights[left], heights)
        pairs += [(left, int(right)) for right in np.flatnonzero(near)]
    return pairs


def _draw_back(left: Quad, right: Quad, ink: NDArray[np.uint8]) -> None:
    """Moves the end of one and the start of the other to the widest white where they meet."""
    height = min(_size(left)[1], _size(right)[1])
    x0 = int(max(right[:, 0].min() - height, left[:, 0].min(), 0))
    x1 = int(min(left[:, 0].max() + height, right[:, 0].max(), ink.shape[1]))
    y0 = max(0, int(max(left[:, 1].min(), right[:, 1].min()) + _EDGE * height))
    y1 = int(min(left[:, 1].max(), right[:, 1].max()) - _EDGE * height)
    if x1 <= x0 or y1 <= y0:
        return
    printed = np.flatnonzero(ink[y0:y1, x0:x1].any(axis=0))
    if len(printed) < 2:
        return
    widest = int(np.argmax(np.diff(printed)))
    start, end = x0 + int(printed[widest]) + 1, x0 + int(printed[widest + 1])
    air = (end - start) / 3  # recognition wants some around the letters
    left[1:3, 0] = np.minimum(left[1:3, 0], start + air)
    right[[0, 3], 0] = np.maximum(right[[0, 3], 0], end - air)


def ink_of(image: NDArray[np.uint8], line_height: float) -> NDArray[np.uint8]:
    """1 where something is printed, long vertical rules left out: (H, W)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    _, dark = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    if dark.mean() > 0.5:
        dark = 1 - dark
    dark = _without_specks(dark, (_SPECK * line_height) ** 2)
    tall = np.ones((max(3, int(3 * line_height)), 1), np.uint8)
    rules = cv2.dilate(cv2.morphologyEx(dark, cv2.MORPH_OPEN, tall), np.ones((1, 3), np.uint8))
    return np.asarray(dark & (1 - rules), np.uint8)


def _without_specks(dark: NDArray[np.uint8], area: float) -> NDArray[np.uint8]:
    """Without a scan's specks, which would close every white stripe; letters keep their edges."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > area
    large[0] = False  # the paper
    return np.asarray(large[parts], np.uint8)


def _gutters_through(
    quad: Quad, ink: NDArray[np.uint8], total: NDArray[np.int32], usual: float
) -> list[tuple[float, float]]:
    """Where each gutter that a line crosses begins and ends, a little clear of the ink."""
    width, own = _size(quad)
    height = min(own, usual)  # a box that also caught a neighbour's ink is taller
    if width <= 2 * _MIN_PART * height or not _is_level(quad):
        return []
    x0, x1 = max(0, int(quad[:, 0].min())), min(ink.shape[1], int(quad[:, 0].max()))
    y0, y1 = int(quad[:, 1].min() + _EDGE * own), int(quad[:, 1].max() - _EDGE * own)
    printed = np.flatnonzero(ink[max(0, y0) : max(0, y1), x0:x1].any(axis=0))
    found: list[tuple[float, float]] = []
    clear = _CLEAR * height
    left = float(x0)
    for before, after in zip(printed, printed[1:], strict=False):
        middle = x0 + (before + after + 1) / 2
        wide = after - before > _MIN_GAP * height
        roomy = middle - left > _MIN_PART * height and x1 - middle > _MIN_PART * height
        if not (wide and roomy):
            continue
        # An indent widens the gap of one row: the gutter may be anywhere in it.
        half = _STRIPE * own / 2
        tries = np.linspace(
            x0 + before + 1 + half, max(x0 + before + 1 + half, x0 + after - half), 5
        )
        if max(_white_run(total, x, (y0 + y1) / 2, own) for x in tries) >= _MIN_RUN:
            found.append((float(x0 + before + clear), float(x0 + after - clear)))
            left = float(middle)
    return found


def _white_run(total: NDArray[np.int32], x: float, y: float, height: float) -> float:
    """How far a white stripe around x reaches up and down from y, in line heights."""
    half = _STRIPE * height / 2
    x0, x1 = int(x - half), int(x + half) + 1
    step = max(1, int(height / 4))
    limit = int(3 * _MIN_RUN * height)
    reach = 0
    for direction in (-1, 1):
        edge = int(y)
        while 0 <= edge + direction * step < total.shape[0] and abs(edge - y) < limit:
            top, bottom = sorted((edge, edge + direction * step))
            if total[bottom, x1] - total[top, x1] - total[bottom, x0] + total[top, x0] > 0:
                break
            edge += direction * step
        reach += abs(edge - int(y))
    return reach / height


def _parts(quad: Quad, gutters: Sequence[tuple[float, float]]) -> list[Quad]:
    """The quad without its gutters, cut upright."""
    if not gutters:
        return [quad]
    left, right = float(quad[:, 0].min()), float(quad[:, 0].max())
    edges = [left, *(x for gutter in gutters for x in gutter), right]
    shares = [(x - left) / (right - left) for x in edges]
    top, bottom = quad[1] - quad[0], quad[2] - quad[3]
    return [
        np.array(
            [
                quad[0] + top * start,
                quad[0] + top * end,
                quad[3] + bottom * end,
                quad[3] + bottom * start,
            ],
            np.float32,
        )
        for start, end in zip(shares[::2], shares[1::2], strict=True)
    ]


def _is_level(quad: Quad) -> bool:
    tilt = max(abs(quad[1][1] - quad[0][1]), abs(quad[2][1] - quad[3][1]))
    return bool(tilt <= _MAX_TILT * _size(quad)[1])


def _size(quad: Quad) -> tuple[float, float]:
    return (
        float(np.hypot(*(quad[1] - quad[0]))),
        float(np.hypot(*(quad[3] - quad[0]))),
    )
