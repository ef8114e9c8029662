"""Straightens pages whose lines are strongly curved: photographed books, creased receipts.

The lines of a page bend alike. One surface, a polynomial in x whose coefficients change with y, is
fitted to the middles of the curved lines, and the picture is moved up and down by it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.networks.quads import Curve, Quad
from dsocr.engines.ppocr.view import Bend, View

MIN_CURVES = 3
_MIN_SHARE = 0.4  # of the length of all lines
_DEGREE = 5
_MAX_RESIDUE = 0.35  # of a line's thickness


def bend_of(curves: Sequence[Curve], quads: Sequence[Quad], shape: tuple[int, ...]) -> Bend | None:
    """How the page's lines bend; None where few are curved, or not alike."""
    straight = sum(float(np.ptp(quad[:, 0])) for quad in quads)
    curved = sum(float(np.ptp(curve.points[:, 0])) for curve in curves)
    if len(curves) < MIN_CURVES or curved < _MIN_SHARE * (straight + curved):
        return None
    height = float(shape[0])
    x = np.concatenate([curve.points[:, 0] for curve in curves])
    y = np.concatenate([curve.points[:, 1] for curve in curves])
    level = np.concatenate([np.full(len(c.points), c.points[:, 1].mean()) for c in curves])
    line = np.repeat(np.arange(len(curves)), [len(curve.points) for curve in curves])
    left, right = float(x.min()), float(x.max())
    powers = _powers(x, left, right)
    own = (line[:, None] == np.arange(len(curves))).astype(float)
    terms = np.hstack([powers, powers * (level / height)[:, None], own])
    solution, *_ = np.linalg.lstsq(terms, y, rcond=None)
    residue = float(np.abs(terms @ solution - y).mean())
    if residue > _MAX_RESIDUE * float(np.median([curve.thickness for curve in curves])):
        return None
    fixed, sloping = solution[:_DEGREE], solution[_DEGREE : 2 * _DEGREE]
    grid = _powers(np.arange(shape[1], dtype=float), left, right)
    inside = slice(int(left), int(right) + 1)
    shift, change = grid @ fixed, grid @ sloping
    return Bend(shift - shift[inside].mean(), (change - change[inside].mean()) / height)


def unbent(view: View, bend: Bend) -> View:
    """The view with its lines straightened."""
    height, width = view.image.shape[:2]
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    source = rows + bend.shift[None, :] + rows * bend.change[None, :]
    image = cv2.remap(
        view.image,
        columns.astype(np.float32),
        source.astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return View(
        np.asarray(image, np.uint8), view.to_given, view.given_width, view.given_height, bend
    )


def _powers(x: NDArray[np.float64], left: float, right: float) -> NDArray[np.float64]:
    """(N, degree): powers of x from 1, with -1 and 1 at the ends of the lines."""
    place = np.clip((2 * x - left - right) / max(1.0, right - left), -1.0, 1.0)
    return np.stack([place**power for power in range(1, _DEGREE + 1)], axis=1)
