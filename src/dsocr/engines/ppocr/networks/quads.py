"""Boxes of lines that may slope: from the detector's map to quads, from quads to straight crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Rect

Pixels = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Quad = NDArray[np.float32]
"""(4, 2) corners in pixels, along the text: top left, top right, bottom right, bottom left."""


class Curve(NamedTuple):
    """A line too curved for a quad."""

    points: NDArray[np.float32]
    """(N, 2): the middle of the line from left to right, in pixels."""
    thickness: float


LINE_HEIGHT = 48
"""Pixels; the height of line that the recognition network was trained on."""
_MIN_PROBABILITY = 0.3  # above it a pixel belongs to text
_MIN_BOX_SCORE = 0.5
_LONG = 20.0  # width over height of an entry of a table of contents with its leaders
_MIN_LONG_SCORE = 0.4  # the leaders lower it
_GROWTH = 1.8  # the network marks a line's core; the box grows by area * this / outline
LETTERS = 0.8
"""Of a box's height; the rest is margin, with which neighbouring lines would overlap."""
_MIN_SIDE = 3.0
_MAX_QUADS = 3000
_MAX_CROP_HEIGHT = 16 * LINE_HEIGHT
"""Of a crop at full size: a box around a whole large page took 5 s to straighten."""
_CURVE_ASPECT = 7.0  # width over height of a long line's box
_CURVE_FILL = 0.66  # of its box: a straight line fills most of it
_VERTICAL = 1.5  # height over width from which text runs downwards


def quads_of(probabilities: NDArray[np.float32]) -> list[Quad]:
    """The boxes of lines in the detector's map, (H, W) probabilities of text, in its pixels."""
    mask = (probabilities > _MIN_PROBABILITY).astype(np.uint8)
    mask = cv2.dilate(mask, np.ones((2, 2), np.uint8)).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    quads = []
    for contour in contours[:_MAX_QUADS]:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < _MIN_SIDE:
            continue
        corners = cv2.boxPoints((centre, (width, height), angle))
        is_long = width > _LONG * height or height > _LONG * width
        least = _MIN_LONG_SCORE if is_long else _MIN_BOX_SCORE
        if _mean_inside(probabilities, corners) < least:
            continue
        growth = width * height * _GROWTH / (2 * (width + height))
        grown = (centre, (width + 2 * growth, height + 2 * growth), angle)
        if min(grown[1]) >= _MIN_SIDE + 2:
            quads.append(_in_reading_direction(cv2.boxPoints(grown)))
    return quads


def curves_of(probabilities: NDArray[np.float32]) -> list[Curve]:
    """The strongly curved lines in the detector's map, in its pixels."""
    mask = (probabilities > _MIN_PROBABILITY).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    curves = []
    for contour in contours[:_MAX_QUADS]:
        sides = cv2.minAreaRect(contour)[1]
        if max(sides) < _CURVE_ASPECT * min(sides) or min(sides) < _MIN_SIDE:
            continue
        if cv2.contourArea(contour) < _CURVE_FILL * sides[0] * sides[1]:
            x, y, width, height = cv2.boundingRect(contour)
            if width > height:
                curves.append(_curve(contour, x, y, width, height))
    return curves


def _curve(contour: NDArray[np.int32], x: int, y: int, width: int, height: int) -> Curve:
    filled = np.zeros((height, width), np.uint8)
    cv2.drawContours(filled, [contour - (x, y)], -1, 1, cv2.FILLED)
    amounts = filled.sum(axis=0)
    columns = np.flatnonzero(amounts)
    middles = (filled * np.arange(height)[:, None]).sum(axis=0)[columns] / amounts[columns]
    points = np.stack([columns + x, middles + y], axis=1).astype(np.float32)
    return Curve(points[:: max(1, len(points) // 200)], float(np.median(amounts[columns])))


def crop(image: Pixels, quad: Quad) -> Pixels:
    """The quad's pixels, straightened. Tall ones are rotated: their text runs downwards."""
    width, height = _pixel_size(quad)
    if min(width, height) > _MAX_CROP_HEIGHT:
        image, quad = _shrink(image, quad, _MAX_CROP_HEIGHT / min(width, height))
        width, height = _pixel_size(quad)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    straight = cv2.warpPerspective(
        image,
        cv2.getPerspectiveTransform(quad.astype(np.float32), corners),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.rot90(straight) if height >= _VERTICAL * width else straight


def size_of(quad: Quad) -> tuple[float, float]:
    """Lengths of its upper and its left edge."""
    return _length(quad[0], quad[1]), _length(quad[0], quad[3])


def total_length(quads: Sequence[Quad]) -> float:
    """The sum of the quads' longer sides in pixels."""
    return float(sum(np.ptp(quad, axis=0).max() for quad in quads))


def without_margin(quad: Quad) -> Quad:
    """The quad without the margin above and below its letters."""
    opposite = [3, 2, 1, 0]
    if _length(quad[0], quad[3]) > _length(quad[0], quad[1]):  # text that runs downwards
        opposite = [1, 0, 3, 2]
    return quad + (1 - LETTERS) / 2 * (quad[opposite] - quad)


def rise_of(quad: Quad) -> float:
    """How much the rectangle around it is taller than the quad; 0 for text that runs downwards."""
    along, across = size_of(quad)
    return max(0.0, float(np.ptp(quad[:, 1])) - across) if along > across else 0.0


def rect_around(quad: Quad) -> Rect:
    """The smallest axis-parallel rectangle around it."""
    x0, y0 = quad.min(axis=0).tolist()
    x1, y1 = quad.max(axis=0).tolist()
    return Rect(x0, y0, x1, y1)


def _pixel_size(quad: Quad) -> tuple[int, int]:
    """Width and height in whole pixels, along the text and across it."""
    width = max(_length(quad[0], quad[1]), _length(quad[3], quad[2]))
    height = max(_length(quad[0], quad[3]), _length(quad[1], quad[2]))
    return max(1, round(width)), max(1, round(height))


def _shrink(image: Pixels, quad: Quad, scale: float) -> tuple[Pixels, Quad]:
    """The part of the image around the quad, scaled down, and the quad in its pixels."""
    low = np.maximum(np.floor(quad.min(axis=0)).astype(int), 0)
    x0, y0 = np.minimum(low, np.array(image.shape[1::-1]) - 1)
    x1, y1 = np.ceil(quad.max(axis=0)).astype(int) + 1
    window = image[y0:y1, x0:x1]
    height, width = window.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(window, size, interpolation=cv2.INTER_AREA)
    stretch = np.array([size[0] / width, size[1] / height], np.float32)
    return np.asarray(small, np.uint8), ((quad - (x0, y0)) * stretch).astype(np.float32)


def _length(start: NDArray[np.float32], end: NDArray[np.float32]) -> float:
    return float(np.hypot(*(end - start)))


def _mean_inside(probabilities: NDArray[np.float32], corners: NDArray[np.float32]) -> float:
    height, width = probabilities.shape
    x0, y0 = np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)), 0, (width - 1, height - 1)).astype(int)
    mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - (x0, y0)).astype(np.int32)], 1)
    return float(cv2.mean(probabilities[y0 : y1 + 1, x0 : x1 + 1], mask)[0])


def _in_reading_direction(corners: NDArray[np.float32]) -> Quad:
    """Top left first, then clockwise."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    top_left, bottom_left = left[np.argsort(left[:, 1], kind="stable")]
    top_right, bottom_right = right[np.argsort(right[:, 1], kind="stable")]
    return np.array([top_left, top_right, bottom_right, bottom_left], np.float32)
