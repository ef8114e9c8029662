"""Which text objects of a PDF page lie under or over images, and which overlap each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from numpy.typing import NDArray

from dsocr.pages.pdf.glyphs import Boxes, Glyphs, Mask, in_pixels
from dsocr.pages.pdf.objects import PageObject
from dsocr.types import RawPixels

_COVERED = 0.5
"""Share of a text object's box under an image that was painted later: it may be covered."""
_OVERLAP = 0.3
"""Shared part of two text objects, of the smaller one, where one may cover the other."""
_SAME_PLACE = 0.1  # of a text object's height
_MAX_GROUPS = 6
"""Groups of overlapping text objects that are tested, one rendering each."""
_ROWS = 32  # compared at once
_MAX_COMPARED = 4000
"""Text objects that are compared in pairs: the work grows with the square of their number."""


def under_images(
    glyphs: Glyphs, objects: Sequence[PageObject], page: pdfium.PdfPage, picture: RawPixels
) -> NDArray[np.int64]:
    """Text objects most of which lies under an image that is painted after them."""
    boxes, order = _images(objects, page, picture)
    places = {item.address: number for number, item in enumerate(objects)}
    own = np.array([places.get(item, len(objects)) for item in glyphs.objects])
    extents = glyphs.extents
    covered = np.zeros(len(extents), np.bool_)
    for box, place in zip(boxes, order, strict=True):
        covered |= (place > own) & (_shared(box, extents) > _COVERED * _areas(extents))
    return np.flatnonzero(covered)


def over_images(
    boxes: Boxes, objects: Sequence[PageObject], page: pdfium.PdfPage, picture: RawPixels
) -> Mask:
    """Whether the middle of each box lies in a raster image."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    inside = np.zeros(len(boxes), np.bool_)
    for x0, y0, x1, y1 in _images(objects, page, picture)[0]:
        inside |= (x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)
    return inside


def _images(
    objects: Sequence[PageObject], page: pdfium.PdfPage, picture: RawPixels
) -> tuple[Boxes, NDArray[np.int64]]:
    """Boxes of the page's raster images, and their places in the order of painting."""
    found = [
        (number, item.bounds)
        for number, item in enumerate(objects)
        if item.kind == pdfium_c.FPDF_PAGEOBJ_IMAGE and item.bounds is not None
    ]
    boxes = np.array([bounds for _, bounds in found], np.float64).reshape(-1, 4)
    order = np.array([number for number, _ in found], np.int64)
    return in_pixels(boxes, page, picture), order


def overlapping_groups(glyphs: Glyphs, visible: Mask) -> list[NDArray[np.int64]]:
    """Groups of text objects that share their place with an object of another group, and with none
    of their own: without one group, the picture changes where its characters are visible."""
    owners = np.unique(glyphs.owners[visible])
    if not 1 < len(owners) <= _MAX_COMPARED:
        return []
    groups: list[list[int]] = []
    for owner, near in _neighbours(glyphs.extents, owners).items():
        free = next((group for group in groups if near.isdisjoint(group)), None)
        if free is None:
            groups.append(free := [])
        free.append(owner)
    return [np.array(group) for group in groups[:_MAX_GROUPS]]


def _neighbours(extents: Boxes, owners: NDArray[np.int64]) -> dict[int, set[int]]:
    """The text objects that overlap others, with these; printing twice is a kind of bold type."""
    owners = owners[np.argsort(extents[owners, 1])]
    boxes = extents[owners]
    found: dict[int, set[int]] = {}
    for first in range(0, len(owners), _ROWS):
        rows = boxes[first : first + _ROWS]
        low, high = rows[:, 1].min(), rows[:, 3].max()
        near = np.flatnonzero((boxes[:, 1] < high) & (boxes[:, 3] > low))
        shared = _shared(rows[:, np.newaxis], boxes[near])
        least = _OVERLAP * np.minimum(_areas(boxes[near]), _areas(rows)[:, np.newaxis])
        for row, column in np.argwhere(shared > least):
            one, other = first + row, near[column]
            if not _same_place(boxes[one], boxes[other]):
                found.setdefault(int(owners[one]), set()).add(int(owners[other]))
    return found


def _same_place(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool(np.abs(one - other).max() < _SAME_PLACE * (one[3] - one[1]) + 1)


def _shared(one: Boxes, other: Boxes) -> NDArray[np.float64]:
    """The area that the boxes share; their shapes are broadcast."""
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    sides = (high - low).clip(0)
    result: NDArray[np.float64] = sides[..., 0] * sides[..., 1]
    return result


def _areas(boxes: Boxes) -> NDArray[np.float64]:
    sides = boxes[..., 2:] - boxes[..., :2]
    result: NDArray[np.float64] = sides[..., 0] * sides[..., 1]
    return result
