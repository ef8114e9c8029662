"""The skew of a page of text: the angle at which its dark pixels fall into the sharpest rows."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

_SIDE = 1200
"""Longest side in pixels of the picture that is measured."""
_MAX_DEGREES = 7.0
_STEP, _FINE_STEP = 0.5, 0.05
_MIN_DEGREES = 0.1
_MIN_GAIN = 1.1
"""How much sharper the rows have to become; pictures and empty pages have no rows."""
_MAX_DARK_SHARE = 0.4


def skew_of_file(image: Path) -> float:
    """Degrees by which the image has to be turned to the left to be level; 0 where that cannot be
    told."""
    with Image.open(image) as opened:
        opened.draft("L", (_SIDE, _SIDE))
        grey = opened.convert("L")
    grey.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return skew_of(np.asarray(ImageOps.autocontrast(grey)))


def skew_of(grey: NDArray[np.uint8]) -> float:
    """As `skew_of_file`, for grey pixels (H, W)."""
    dark = np.argwhere(grey < 128).astype(np.float64)
    if not len(dark) or len(dark) > _MAX_DARK_SHARE * grey.size:
        return 0.0
    ys, xs = dark[:, 0], dark[:, 1]
    coarse = np.arange(-_MAX_DEGREES, _MAX_DEGREES + _STEP, _STEP)
    near = max(coarse, key=lambda angle: _sharpness(ys, xs, angle))
    fine = np.arange(near - _STEP, near + _STEP + _FINE_STEP, _FINE_STEP)
    best = float(max(fine, key=lambda angle: _sharpness(ys, xs, angle)))
    if abs(best) < _MIN_DEGREES or abs(best) > _MAX_DEGREES:
        return 0.0
    sharper = _sharpness(ys, xs, best) > _MIN_GAIN * _sharpness(ys, xs, 0.0)
    return round(best, 2) if sharper else 0.0


def _sharpness(ys: NDArray[np.float64], xs: NDArray[np.float64], degrees: float) -> float:
    """The sum of the squared differences of neighbouring rows' dark pixels, once lines that fall by
    so many degrees are level."""
    rows = ys - xs * math.tan(math.radians(degrees))
    counts = np.bincount((rows - rows.min()).astype(np.int64))
    return float(np.square(np.diff(counts)).sum())
