"""The upright, straightened picture of a page, and the way from its pixels to the result's boxes.

Quarter rotations are undone first, then a skew of a few degrees. This is the one place where boxes
leave the pixels of the view: they become fractions of the page as it was given, so that they fit
the page image that the caller has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.networks.orientation import Orientation
from dsocr.engines.ppocr.networks.quads import Pixels, Quad
from dsocr.types import Box

_MIN_SKEW = 0.4  # degrees; with less, boxes of neighbouring lines hardly touch
_MAX_SKEW = 50.0
_MAX_STEEP = 0.8
"""Run over rise of the steepest line that is level text on a turned page: 51 degrees."""
_MIN_ASPECT = 5.0  # width over height from which a line's slope is reliable
_MIN_AGREEMENT = 0.6  # of the lines' length


@dataclass(frozen=True, slots=True)
class Bend:
    """How far each place of a straightened picture was moved up or down."""

    shift: NDArray[np.float64]
    """(W,): the distance in pixels at the top, for each column."""
    change: NDArray[np.float64]
    """(W,): what is added to it for each row."""

    def spread(self, rect: Rect) -> Rect:
        """The rectangle on the bent picture that holds one of the straightened picture."""
        columns = slice(int(rect.x0), max(int(rect.x0) + 1, math.ceil(rect.x1)))
        shift, change = self.shift[columns], self.change[columns]
        if not len(shift):
            return rect
        top = rect.y0 + float((shift + change * rect.y0).min())
        return Rect(rect.x0, top, rect.x1, rect.y1 + float((shift + change * rect.y1).max()))


@dataclass(frozen=True, slots=True)
class View:
    """The picture that is recognized, and the transformation back to the page as given."""

    image: Pixels
    to_given: NDArray[np.float64]
    """(2, 3): pixels of the view to pixels of the page as given."""
    given_width: int
    given_height: int
    bend: Bend | None = None
    """How the picture was straightened before the transformation."""

    def box(self, rect: Rect) -> Box:
        """The axis-parallel box around a rectangle of the view, as fractions of the given page."""
        height, width = self.image.shape[:2]
        if self.bend is not None:
            rect = self.bend.spread(rect)
        xs = (_clip(rect.x0, width), _clip(rect.x1, width))
        ys = (_clip(rect.y0, height), _clip(rect.y1, height))
        corners = np.array([(x, y, 1.0) for x in xs for y in ys])
        points = corners @ self.to_given.T  # (4, 2)
        x0, y0 = points.min(axis=0).tolist()
        x1, y1 = points.max(axis=0).tolist()
        return Box(
            _clip(x0 / self.given_width, 1.0),
            _clip(y0 / self.given_height, 1.0),
            _clip(x1 / self.given_width, 1.0),
            _clip(y1 / self.given_height, 1.0),
        )


def upright_view(image: Pixels, orientation: Orientation) -> View:
    """The page rotated to the left by as much as it lies rotated to the right."""
    height, width = image.shape[:2]
    transformations: dict[Orientation, list[list[float]]] = {
        0: [[1, 0, 0], [0, 1, 0]],
        90: [[0, -1, width], [1, 0, 0]],
        180: [[-1, 0, width], [0, -1, height]],
        270: [[0, 1, 0], [-1, 0, height]],
    }
    upright = np.ascontiguousarray(np.rot90(image, orientation // 90))
    return View(upright, np.array(transformations[orientation], np.float64), width, height)


def skew_of(quads: Sequence[Quad]) -> float:
    """The slope of the page's long lines in degrees, downwards positive; 0 when they disagree."""
    slopes, lengths = _slopes(quads)
    if not slopes:
        return 0.0
    middle = _weighted_median(np.array(slopes), np.array(lengths))
    tolerance = max(_MIN_SKEW, abs(middle) / 2)
    agreeing = sum(
        length
        for slope, length in zip(slopes, lengths, strict=True)
        if abs(slope - middle) < tolerance
    )
    return middle if agreeing > _MIN_AGREEMENT * sum(lengths) else 0.0


def _slopes(quads: Sequence[Quad]) -> tuple[list[float], list[float]]:
    """Slopes in degrees and lengths of the lines that are long enough to measure."""
    slopes, lengths = [], []
    for quad in quads:
        along = quad[1] - quad[0] + quad[2] - quad[3]
        across = quad[3] - quad[0] + quad[2] - quad[1]
        if np.hypot(*along) > _MIN_ASPECT * np.hypot(*across) and along[0] > _MAX_STEEP * abs(
            along[1]
        ):
            slopes.append(math.degrees(math.atan2(along[1], along[0])))
            lengths.append(float(np.hypot(*along)))
    return slopes, lengths


def straighten(view: View, quads: Sequence[Quad]) -> tuple[View, list[Quad]]:
    """The view with its lines level, and the quads on it; the same view where they are level."""
    skew = skew_of(quads)
    if not _MIN_SKEW <= abs(skew) <= _MAX_SKEW:
        return view, list(quads)
    rotation, size = _rotation(view.image, skew)
    image = cv2.warpAffine(
        view.image, rotation, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    back = np.vstack([cv2.invertAffineTransform(rotation), [0, 0, 1]])
    moved = [(quad @ rotation[:, :2].T + rotation[:, 2]).astype(np.float32) for quad in quads]
    return View(image, view.to_given @ back, view.given_width, view.given_height), moved


def _rotation(image: Pixels, degrees: float) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """The rotation (2, 3) that levels the image, and the size that holds all of it."""
    height, width = image.shape[:2]
    rotation = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]]) @ rotation.T
    x0, y0 = corners.min(axis=0)
    x1, y1 = corners.max(axis=0)
    rotation[:, 2] -= (x0, y0)
    return rotation, (math.ceil(x1 - x0), math.ceil(y1 - y0))


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    cumulated = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulated, cumulated[-1] / 2)])


def _clip(value: float, limit: float) -> float:
    return min(float(limit), max(0.0, value))
