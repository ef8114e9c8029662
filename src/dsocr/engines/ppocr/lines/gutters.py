"""Splits detected lines at the gutters between columns, before they are recognized.

Detection joins neighbouring columns that stand close, as in newspapers. A gutter is a white stripe
that continues above and below the line; the blanks between words do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.networks.quads import Quad, size_of

Ink = NDArray[np.uint8]
"""(H, W): 1 where something is printed."""

_MIN_GAP = 0.55  # of the usual line's height
_MIN_GAP_OF_TALL = 0.35  # of its own height: blanks between the words of a title are wide
_STRIPE = 0.3
_MIN_RUN = 5.0
_MIN_PART = 1.2
_MAX_TILT = 0.3
_MAX_SHARED = 1.5  # of its height
_SPECK = 0.07  # of a line's height; full stops are larger
_CLEAR = 0.1
_EDGE = 0.2  # of the height at a line's top and bottom, where its neighbours' ink may reach in


def split_at_gutters(image: NDArray[np.uint8], quads: Sequence[Quad]) -> list[Quad]:
    """The quads in their order; those across a gutter are replaced by their parts, left first."""
    long = [quad for quad in quads if size_of(quad)[0] > 2 * _MIN_PART * size_of(quad)[1]]
    if not long:
        return list(quads)
    height = float(np.median([size_of(quad)[1] for quad in long]))
    ink = ink_of(image, height)
    total = cv2.integral(ink)
    return [
        part for quad in quads for part in _split(quad, _gutters_through(quad, ink, total, height))
    ]


def separate_overlapping(image: NDArray[np.uint8], quads: Sequence[Quad]) -> list[Quad]:
    """The quads; where two of one row overlap, both end at the white between their letters.

    Detection grows its boxes, in narrow columns into each other.
    """
    level = [index for index, quad in enumerate(quads) if _is_level(quad)]
    pairs = _overlapping([quads[index] for index in level])
    if not pairs:
        return list(quads)
    moved = [quad.copy() for quad in quads]
    ink = ink_of(image, float(np.median([size_of(quads[index])[1] for index in level])))
    for left, right in pairs:
        _separate(moved[level[left]], moved[level[right]], ink)
    return moved


def _overlapping(quads: Sequence[Quad]) -> list[tuple[int, int]]:
    """Pairs of neighbours, left first, that stand in one row and overlap a little."""
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


def _separate(left: Quad, right: Quad, ink: Ink) -> None:
    """Moves the end of one and the start of the other to the widest white between them."""
    height = min(size_of(left)[1], size_of(right)[1])
    x0 = int(max(right[:, 0].min() - height, left[:, 0].min(), 0))
    x1 = int(min(left[:, 0].max() + height, right[:, 0].max(), ink.shape[1]))
    y0 = max(0, int(max(left[:, 1].min(), right[:, 1].min()) + _EDGE * height))
    y1 = int(min(left[:, 1].max(), right[:, 1].max()) - _EDGE * height)
    if x1 <= x0 or y1 <= y0:
        return
    inked = np.flatnonzero(ink[y0:y1, x0:x1].any(axis=0))
    if len(inked) < 2:
        return
    widest = int(np.argmax(np.diff(inked)))
    start, end = x0 + int(inked[widest]) + 1, x0 + int(inked[widest + 1])
    margin = (end - start) / 3  # recognition expects some around the letters
    left[1:3, 0] = np.minimum(left[1:3, 0], start + margin)
    right[[0, 3], 0] = np.maximum(right[[0, 3], 0], end - margin)


def ink_of(image: NDArray[np.uint8], line_height: float) -> Ink:
    """What is printed, without long vertical rules."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    _, dark = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    if dark.mean() > 0.5:
        dark = 1 - dark
    dark = _without_specks(dark, (_SPECK * line_height) ** 2)
    tall = np.ones((max(3, int(3 * line_height)), 1), np.uint8)
    rules = cv2.dilate(cv2.morphologyEx(dark, cv2.MORPH_OPEN, tall), np.ones((1, 3), np.uint8))
    return np.asarray(dark & (1 - rules), np.uint8)


def _without_specks(dark: Ink, area: float) -> Ink:
    """Without a scan's specks, which would interrupt white stripes; letters keep their edges."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > area
    large[0] = False  # the paper
    return np.asarray(large[parts], np.uint8)


def _gutters_through(
    quad: Quad, ink: Ink, total: NDArray[np.int32], usual: float
) -> list[tuple[float, float]]:
    """Start and end of each gutter that a line crosses, a little clear of the ink."""
    width, own = size_of(quad)
    height = min(own, usual)  # a box that also holds a neighbour's ink is taller
    if width <= 2 * _MIN_PART * height or not _is_level(quad):
        return []
    x0, x1 = max(0, int(quad[:, 0].min())), min(ink.shape[1], int(quad[:, 0].max()))
    y0, y1 = int(quad[:, 1].min() + _EDGE * own), int(quad[:, 1].max() - _EDGE * own)
    inked = x0 + np.flatnonzero(ink[max(0, y0) : max(0, y1), x0:x1].any(axis=0))
    gutters: list[tuple[float, float]] = []
    clear, min_part = _CLEAR * height, _MIN_PART * height
    min_gap = max(_MIN_GAP * height, _MIN_GAP_OF_TALL * own)
    left = float(x0)
    for before, after in pairwise(inked):
        middle = (before + after + 1) / 2
        if after - before <= min_gap or min(middle - left, x1 - middle) <= min_part:
            continue
        if _is_gutter(total, (float(before + 1), float(after)), (y0 + y1) / 2, own):
            gutters.append((float(before + clear), float(after - clear)))
            left = float(middle)
    return gutters


def _is_gutter(total: NDArray[np.int32], gap: tuple[float, float], y: float, height: float) -> bool:
    """Whether a white stripe continues up and down from the gap.

    An indent widens the gap of one row, so the gutter may be anywhere in it.
    """
    half = _STRIPE * height / 2
    start = gap[0] + half
    places = np.linspace(start, max(start, gap[1] - half), 5)
    return max(_white_run(total, x, y, height) for x in places) >= _MIN_RUN


def _white_run(total: NDArray[np.int32], x: float, y: float, height: float) -> float:
    """How far a white stripe around x reaches up and down from y, in line heights.

    `total` is the integral image of the ink.
    """
    half = _STRIPE * height / 2
    x0, x1 = int(x - half), int(x + half) + 1
    step = max(1, int(height / 4))
    limit = int(3 * _MIN_RUN * height)
    reach = 0
    for direction in (-step, step):
        edge = int(y)
        while 0 <= edge + direction < total.shape[0] and abs(edge - y) < limit:
            top, bottom = sorted((edge, edge + direction))
            if total[bottom, x1] - total[top, x1] - total[bottom, x0] + total[top, x0] > 0:
                break
            edge += direction
        reach += abs(edge - int(y))
    return reach / height


def _split(quad: Quad, gutters: Sequence[tuple[float, float]]) -> list[Quad]:
    """The parts of the quad between its gutters, which run straight down."""
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
    return bool(tilt <= _MAX_TILT * size_of(quad)[1])
