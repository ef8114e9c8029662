"""Detects small text on a large, nearly empty page, which vanishes when the page is shrunk."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dsocr.engines.ppocr.geometry import Rect, share_inside
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.quads import Pixels, Quad, rect_around, total_length

_MAX_SCALE = 0.6  # of the page in detection
_MAX_LINES = 12
_MAX_AREAS = 6
_MAX_SHARE = 0.3  # of the page that is looked at again
_SEARCHED_SIDE = 1600
_PALE = 24  # grey levels below the paper: thin strokes fade when a page is shrunk
_MIN_INK = 12  # pixels of the searched picture: fewer are specks
_JOIN = 25  # pixels of the searched picture, between the lines of one area


def with_small_text(
    image: Pixels, quads: Sequence[Quad], *, longest_side: int, ocr: Ocr
) -> list[Quad]:
    """The quads; where the page is large and nearly empty, those found at a higher resolution."""
    if longest_side / max(image.shape[:2]) > _MAX_SCALE or len(quads) > _MAX_LINES:
        return list(quads)
    kept = list(quads)
    for area in _inked_areas(image):
        x0, y0 = int(area.x0), int(area.y0)
        part = image[y0 : int(area.y1), x0 : int(area.x1)]
        found = [
            quad + np.array([x0, y0], np.float32)
            for quad in ocr.detect(part, longest_side=longest_side)
        ]
        before = [quad for quad in kept if share_inside(rect_around(quad), area) > 0.5]
        if total_length(found) > total_length(before):
            kept = [quad for quad in kept if not any(quad is old for old in before)] + found
    return sorted(kept, key=lambda quad: (float(quad[:, 1].min()), float(quad[:, 0].min())))


def _inked_areas(image: Pixels) -> list[Rect]:
    """Rectangles around what is printed, in pixels of the page; none where that is much of it."""
    height, width = image.shape[:2]
    scale = min(1.0, _SEARCHED_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).min(axis=2)
    ink = (small < np.percentile(small[::4, ::4], 60) - _PALE).astype(np.uint8)
    joined = cv2.dilate(ink, np.ones((_JOIN, _JOIN), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    amounts = np.bincount(labels[ink > 0], minlength=len(stats))
    areas = [
        Rect(x / scale, y / scale, (x + w) / scale, (y + h) / scale)
        for (x, y, w, h), amount in zip(stats[:, :4].tolist(), amounts, strict=True)
        if amount >= _MIN_INK
    ][:_MAX_AREAS]
    if sum(area.area for area in areas) > _MAX_SHARE * height * width:
        return []
    return areas
