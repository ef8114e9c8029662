"""The picture of a PDF page: rendering it, and comparing it with and without text objects."""

from __future__ import annotations

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from numpy.typing import NDArray

from dsocr.pages.pdf.glyphs import Boxes, Glyphs, Mask
from dsocr.pages.pdf.objects import handle_of
from dsocr.types import RawPixels

MIN_CONTRAST = 20
"""Grey levels by which a visible character changes its place; paler text is not legible."""


def render(page: pdfium.PdfPage, scale: float) -> RawPixels:
    """The page in RGB, upright, `scale` pixels a point, in the memory that pdfium renders into."""
    bitmap = page.render(
        scale=scale, rev_byteorder=True, force_bitmap_format=pdfium_c.FPDFBitmap_BGR
    )
    bitmap.close()  # its memory stays
    return RawPixels(bitmap.width, bitmap.height, memoryview(bitmap.buffer).cast("B"))


def has_ink(picture: RawPixels, boxes: Boxes) -> Mask:
    """Whether neighbouring pixels in each box differ as those of a printed character do."""
    grey = np.ascontiguousarray(array_of(picture)[..., 1])
    edges = np.zeros(grey.shape, np.bool_)
    np.greater_equal(_difference(grey[:, 1:], grey[:, :-1]), MIN_CONTRAST, out=edges[:, 1:])
    edges[1:] |= _difference(grey[1:], grey[:-1]) >= MIN_CONTRAST
    return _any_inside(edges, boxes)


def changes(
    page: pdfium.PdfPage,
    picture: RawPixels,
    glyphs: Glyphs,
    suspects: NDArray[np.int64],
    scale: float,
) -> Mask:
    """Whether the picture changes at each character when these text objects are not painted."""
    for number in suspects:
        pdfium_c.FPDFPageObj_SetIsActive(handle_of(glyphs.objects[number]), False)
    try:
        without = render(page, scale)
    finally:
        for number in suspects:
            pdfium_c.FPDFPageObj_SetIsActive(handle_of(glyphs.objects[number]), True)
    changed = _difference(array_of(picture), array_of(without)) >= MIN_CONTRAST
    return _any_inside(changed[..., 0] | changed[..., 1] | changed[..., 2], glyphs.boxes)


def _any_inside(mask: Mask, boxes: Boxes) -> Mask:
    """Whether a pixel of each box is set. Counted in cells of four pixels; of a wide box the
    outermost pixels are left out, since they may belong to a neighbour."""
    height, width = (side // 2 * 2 for side in mask.shape)
    rows = mask[0:height:2, :width] | mask[1:height:2, :width]
    cells = rows.view(np.uint16) != 0  # pairs of pixels
    sums = np.zeros((cells.shape[0] + 1, cells.shape[1] + 1), np.int32)
    np.cumsum(cells, axis=1, dtype=np.int32, out=sums[1:, 1:])
    np.cumsum(sums, axis=0, out=sums)
    x0, x1 = _inner(boxes[:, 0], boxes[:, 2], cells.shape[1])
    y0, y1 = _inner(boxes[:, 1], boxes[:, 3], cells.shape[0])
    inside: Mask = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0] > 0
    return inside


def _inner(
    low: NDArray[np.float64], high: NDArray[np.float64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first cell and the one after the last of each stretch of pixels."""
    inset = np.where(high - low > 4, 1, 0)
    first = np.clip(np.floor((low + inset) / 2), 0, size).astype(np.int64)
    last = np.clip(np.ceil((high - inset) / 2), 0, size).astype(np.int64)
    return first, np.maximum(first, last)


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    result: NDArray[np.uint8] = np.maximum(one, other) - np.minimum(one, other)
    return result


def array_of(picture: RawPixels) -> NDArray[np.uint8]:
    """(height, width, 3), without a copy."""
    pixels = np.frombuffer(picture.data, np.uint8)  # type: ignore[arg-type]
    return pixels.reshape(picture.height, picture.width, 3)
