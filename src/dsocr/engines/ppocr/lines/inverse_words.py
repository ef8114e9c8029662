"""Shows white words on a dark patch within a line as black ones, as the rest of the line is.

Recognition leaves out the blanks beside such a patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.networks.quads import Pixels, Quad, rect_around, size_of

_MIN_WIDTH = 1.0  # of a line's height
_MAX_WIDTH = 0.9  # of the line: a line that is inverse as a whole is recognized as it is
_DARK = 90  # grey levels below the paper
_DARK_SHARE = 0.5  # of a patch's rows
_MIN_STROKE = 0.8  # of a line's height: level strokes above and below the words of a patch
_MIN_HEIGHT = 0.6  # of the line's height
_MIN_ASPECT = 3.0  # width over height of a line with other words beside a patch
_MIN_PART = 0.3  # of a line's height
_MARGIN = 0.25  # of a line's height above and below, where its patch may reach


def with_dark_words(image: Pixels, quads: Sequence[Quad]) -> tuple[Pixels, list[Quad]]:
    """The picture with the patches inverted, and the quads divided at their ends."""
    heights = [size[1] for size in map(size_of, quads) if size[0] >= _MIN_ASPECT * size[1]]
    if not heights:
        return image, list(quads)
    strokes = _level_strokes(image, float(np.median(heights)))
    shown = image
    divided: list[Quad] = []
    for quad in quads:
        windows = _patches(image, quad) if _has_patch(strokes, quad) else []
        for window in windows:
            if shown is image:
                shown = image.copy()
            shown[window] = 255 - image[window]
        divided += _divided(quad, [(window[1].start, window[1].stop) for window in windows])
    return shown, divided


def _level_strokes(image: Pixels, height: float) -> NDArray[np.uint8]:
    """(H, W): 1 in dark level strokes that are longer than those of letters."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    _, dark = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    kernel = np.ones((1, max(3, int(_MIN_WIDTH * height))), np.uint8)
    return np.asarray(cv2.morphologyEx(dark, cv2.MORPH_OPEN, kernel), np.uint8)


def _has_patch(strokes: NDArray[np.uint8], quad: Quad) -> bool:
    """Whether there are such strokes in the upper and in the lower half of a long level line."""
    width, height = size_of(quad)
    if width < _MIN_ASPECT * height:
        return False
    y0, y1 = max(0, int(quad[:, 1].min())), int(quad[:, 1].max())
    x0, x1 = max(0, int(quad[:, 0].min())), int(quad[:, 0].max())
    middle = (y0 + y1) // 2
    return bool(strokes[y0:middle, x0:x1].any() and strokes[middle:y1, x0:x1].any())


def _divided(quad: Quad, patches: Sequence[tuple[int, int]]) -> list[Quad]:
    """The quad's parts between and in the patches; what is left at an end may be too narrow."""
    if not patches:
        return [quad]
    height = size_of(quad)[1]
    left, right = float(quad[:, 0].min()), float(quad[:, 0].max())
    edges = [left, *(float(x) for patch in patches for x in patch), right]
    parts = []
    for start, end in pairwise(edges):
        if end - start >= _MIN_PART * height:
            part = quad.copy()
            part[:, 0] = np.clip(part[:, 0], start, end)
            parts.append(part)
    return parts


def _patches(image: Pixels, quad: Quad) -> list[tuple[slice, slice]]:
    """Rows and columns of each patch in the line."""
    height = size_of(quad)[1]
    rect = rect_around(quad)
    y0, y1 = max(0, int(rect.y0 - _MARGIN * height)), int(rect.y1 + _MARGIN * height)
    x0, x1 = max(0, int(rect.x0)), int(rect.x1)
    grey = cv2.cvtColor(np.ascontiguousarray(image[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY)
    paper = float(np.percentile(grey, 90))
    if np.median(grey) < paper - _DARK:
        return []
    dark = grey < paper - _DARK
    level = np.ones((1, max(3, int(_MIN_STROKE * height))), np.uint8)
    strokes = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, level)
    first, last = strokes.argmax(axis=0), len(dark) - strokes[::-1].argmax(axis=0)
    found = []
    for start, end in _runs((last - first > _MIN_HEIGHT * height) & strokes.any(axis=0)):
        if not _MIN_WIDTH * height <= end - start <= _MAX_WIDTH * (x1 - x0):
            continue
        rows = np.flatnonzero(dark[:, start:end].mean(axis=1) > _DARK_SHARE)
        if len(rows) > _MIN_HEIGHT * height:
            found.append(np.s_[y0 + rows[0] : y0 + rows[-1] + 1, x0 + start : x0 + end])
    return found


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
