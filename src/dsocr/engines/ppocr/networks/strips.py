"""The recognition network's input: strips of one height, small ones of one width in batches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np

from dsocr.engines.ppocr.networks.quads import LINE_HEIGHT, Pixels

_MIN_WIDTH = 64
_WIDTH_STEP = 32  # widths are rounded up to this, so that few shapes are compiled
_MAX_WIDTH = 3200
_GREY = 127
_BATCH = 4
"""Strips of a batch. There is no other size but 1: each one is compiled for each width."""
_SMALL = 256
"""Width in pixels up to which a batch takes less time than its strips one by one."""


class Strip(NamedTuple):
    """The picture of a line."""

    place: int
    """The line's place among those to recognize."""
    pixels: Pixels
    """(1, 48, W, 3) BGR."""
    share: float
    """The share of W that is not padding."""


def strip_of(place: int, pixels: Pixels, squeeze: float) -> Strip:
    """The strip of a straightened line in RGB; `squeeze` is a factor on its width."""
    height, width = pixels.shape[:2]
    inner = min(_MAX_WIDTH, max(1, math.ceil(LINE_HEIGHT * width / height * squeeze)))
    outer = max(_MIN_WIDTH, math.ceil(inner / _WIDTH_STEP) * _WIDTH_STEP)
    strip = np.full((1, LINE_HEIGHT, outer, 3), _GREY, np.uint8)
    strip[0, :, :inner] = cv2.resize(pixels, (inner, LINE_HEIGHT))[:, :, ::-1]
    return Strip(place, strip, inner / outer)


def batches_of(strips: Iterable[Strip]) -> Iterator[list[Strip]]:
    """Strips of one width each, narrow ones first: full batches of small ones, single others."""
    # Sorted by width: each shape is prepared once.
    for width, group in groupby(sorted(strips, key=_width), key=_width):
        waiting: list[Strip] = []
        for strip in group:
            waiting.append(strip)
            if len(waiting) == _BATCH or width > _SMALL:
                yield waiting
                waiting = []
        yield from ([strip] for strip in waiting)


def _width(strip: Strip) -> int:
    return int(strip.pixels.shape[2])
