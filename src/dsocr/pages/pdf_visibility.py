"""Which characters of a PDF page's text layer the rendered page shows.

The text layer also has text that is not painted (render mode 3, a layer that is switched off), has
the colour of its background, is clipped away, or lies under something that was painted later. A
character is visible when the picture changes without it: doubtful text objects are made inactive,
the page is rendered once more, and the two pictures are compared. Runs only in a decoding process.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from numpy.typing import NDArray

from dsocr.pages.pdf_objects import PageObject, handle_of
from dsocr.pages.pdf_text import Characters, Frame
from dsocr.types import RawPixels

Boxes = NDArray[np.float64]
"""(n, 4): left, top, right, bottom in pixels of the picture."""
Mask = NDArray[np.bool_]

_MIN_CONTRAST = 20
"""Grey levels by which a visible character changes its place; paler text is not legible."""
_MIN_INK = 0.1  # pixels
_MIN_PIXELS = 3.0
"""Height of the smallest character that the picture can show."""
_COVERED = 0.5
"""Share of a text object's box under an image that was painted later: it may be covered."""
_OVERLAP = 0.3
"""Shared part of two text objects, of the smaller one, where one may cover the other."""
_SAME_PLACE = 0.1  # of a text object's height
_MIN_OVERLAPPING = 4
"""Characters of a group that is worth a test: accents are printed over their letters."""
_MAX_GROUPS = 6
"""Groups of overlapping text objects that are tested, one rendering each."""
_ROWS = 32  # compared at once
_MAX_COMPARED = 4000
"""Text objects that are compared in pairs: the work grows with the square of their number."""
_UNPAINTED = {pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium_c.FPDF_TEXTRENDERMODE_CLIP}


@dataclass(frozen=True, slots=True)
class Hidden:
    """Characters that the picture does not show, by their index in pdfium's text page."""

    dropped: frozenset[int]
    """Outside the page, or with nothing behind them that could be their text."""
    over_image: frozenset[int]
    """Over a raster image: the text layer of a scan, made by another OCR."""
    num_on_page: int
    """How many of the dropped ones stand on the page."""

    def visible(self, count: int) -> frozenset[int] | None:
        """The other ones of `count` characters; None for all."""
        if not self.dropped and not self.over_image:
            return None
        return frozenset(range(count)) - self.dropped - self.over_image


def hidden_characters(
    page: pdfium.PdfPage,
    characters: Characters,
    picture: RawPixels,
    objects: Sequence[PageObject],
    *,
    scale: float,
) -> Hidden:
    """Characters of the text layer that `picture`, rendered at `scale`, does not show."""
    glyphs = _Glyphs.of(page, characters, picture)
    if not glyphs.indices.size:
        return Hidden(frozenset(), frozenset(), 0)
    inked = _has_ink(picture, glyphs.boxes)
    unpainted = np.isin(glyphs.owners, _unpainted(glyphs))
    covered = np.isin(glyphs.owners, _under_images(glyphs, objects, page, picture))
    hidden = unpainted | _is_tiny(glyphs, characters, scale)
    doubtful = (~inked | covered) & ~hidden & glyphs.have_ink()
    if doubtful.any():
        suspects = np.unique(glyphs.owners[doubtful])
        changed = _changed(page, picture, glyphs, suspects, scale)
        hidden |= np.isin(glyphs.owners, suspects) & glyphs.have_ink() & ~changed
    hidden |= _under_text(page, picture, glyphs, ~hidden, scale)
    on_page = _is_on_page(glyphs.boxes, picture)
    on_image = inked & _over_images(glyphs.boxes, objects, page, picture)
    dropped = (hidden & ~on_image) | ~on_page
    return Hidden(
        frozenset(glyphs.indices[dropped].tolist()),
        frozenset(glyphs.indices[hidden & ~dropped].tolist()),
        int(np.count_nonzero(dropped & on_page)),
    )


@dataclass(frozen=True, slots=True)
class _Glyphs:
    """The printed characters of a page: index, box, and the number of their text object."""

    indices: NDArray[np.int64]
    boxes: Boxes
    owners: NDArray[np.int64]
    objects: list[int]
    """The addresses of the text objects; `owners` numbers them."""

    @classmethod
    def of(cls, page: pdfium.PdfPage, characters: Characters, picture: RawPixels) -> _Glyphs:
        texts = zip(characters.texts, characters.owners, strict=True)
        printed = [index for index, (text, owner) in enumerate(texts) if owner and text.strip()]
        indices = np.array(printed, np.int64)
        addresses = np.array(characters.owners, np.uint64)[indices]
        objects, owners = np.unique(addresses, return_inverse=True)
        boxes = np.array(characters.ink_boxes(), np.float64).reshape(-1, 4)[indices]
        return cls(indices, _in_pixels(boxes, page, picture), owners, objects.tolist())

    def have_ink(self) -> Mask:
        """Whether the font has an outline for each; one that is not embedded may lack it here."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        drawn: Mask = np.all(sides > _MIN_INK, axis=1)
        return drawn

    def extents(self) -> Boxes:
        """The box around the characters of each text object."""
        extents = np.tile([np.inf, np.inf, -np.inf, -np.inf], (len(self.objects), 1))
        np.minimum.at(extents[:, :2], self.owners, self.boxes[:, :2])
        np.maximum.at(extents[:, 2:], self.owners, self.boxes[:, 2:])
        return extents


def _in_pixels(boxes: Boxes, page: pdfium.PdfPage, picture: RawPixels) -> Boxes:
    """Boxes in points of the page (left, bottom, right, top) as boxes in pixels."""
    origin, across, up = (np.array(Frame(page).point(*at)) for at in ((0, 0), (1000, 0), (0, 1000)))
    matrix = np.stack([across - origin, up - origin]) / 1000 * _size(picture)
    start = origin * _size(picture)
    first, second = boxes[:, :2] @ matrix + start, boxes[:, 2:] @ matrix + start
    return np.hstack([np.minimum(first, second), np.maximum(first, second)])


def _has_ink(picture: RawPixels, boxes: Boxes) -> Mask:
    """Whether neighbouring pixels in each box differ as those of a printed character do."""
    grey = _array(picture)[..., 1]
    edges = np.zeros(grey.shape, np.bool_)
    edges[:, 1:] = _difference(grey[:, 1:], grey[:, :-1]) >= _MIN_CONTRAST
    edges[1:] |= _difference(grey[1:], grey[:-1]) >= _MIN_CONTRAST
    return _any_inside(edges, boxes)


def _any_inside(mask: Mask, boxes: Boxes) -> Mask:
    """Whether a pixel of each box is set. Counted in cells of four pixels; of a wide box the
    outermost pixels are left out, since they may belong to a neighbour."""
    height, width = (side // 2 * 2 for side in mask.shape)
    upper, lower = mask[0:height:2, :width], mask[1:height:2, :width]
    cells = upper[:, ::2] | upper[:, 1::2] | lower[:, ::2] | lower[:, 1::2]
    sums = np.zeros((cells.shape[0] + 1, cells.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(cells, axis=1, dtype=np.int32), axis=0, out=sums[1:, 1:])
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


def _unpainted(glyphs: _Glyphs) -> list[int]:
    """Text objects that paint nothing by their render mode or their opacity."""
    return [number for number, item in enumerate(glyphs.objects) if not _paints(handle_of(item))]


def _paints(item: object) -> bool:
    mode = pdfium_c.FPDFTextObj_GetTextRenderMode(item)
    if mode in _UNPAINTED:
        return False
    if mode != pdfium_c.FPDF_TEXTRENDERMODE_FILL:
        return True
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    known = pdfium_c.FPDFPageObj_GetFillColor(item, red, green, blue, alpha)
    return not known or alpha.value >= _MIN_CONTRAST


def _is_tiny(glyphs: _Glyphs, characters: Characters, scale: float) -> Mask:
    """Characters in a type size that the picture cannot show."""
    _, first = np.unique(glyphs.owners, return_index=True)
    sizes = [characters.type_size(int(index)) for index in glyphs.indices[first]]
    tiny: Mask = (np.array(sizes) * scale < _MIN_PIXELS)[glyphs.owners]
    return tiny


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
    return _in_pixels(boxes, page, picture), order


def _under_images(
    glyphs: _Glyphs, objects: Sequence[PageObject], page: pdfium.PdfPage, picture: RawPixels
) -> NDArray[np.int64]:
    """Text objects most of which lies under an image that is painted after them."""
    boxes, order = _images(objects, page, picture)
    places = {item.address: number for number, item in enumerate(objects)}
    own = np.array([places.get(item, len(objects)) for item in glyphs.objects])
    extents = glyphs.extents()
    covered = np.zeros(len(extents), np.bool_)
    for box, place in zip(boxes, order, strict=True):
        covered |= (place > own) & (_shared(box, extents) > _COVERED * _areas(extents))
    return np.flatnonzero(covered)


def _over_images(
    boxes: Boxes, objects: Sequence[PageObject], page: pdfium.PdfPage, picture: RawPixels
) -> Mask:
    """Whether the middle of each box lies in a raster image."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    inside = np.zeros(len(boxes), np.bool_)
    for x0, y0, x1, y1 in _images(objects, page, picture)[0]:
        inside |= (x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)
    return inside


def _under_text(
    page: pdfium.PdfPage, picture: RawPixels, glyphs: _Glyphs, visible: Mask, scale: float
) -> Mask:
    """Characters under other text: an old wording, painted over. Where a text is printed twice,
    neither print changes the picture alone, so all that is found is tested once more together."""
    found = np.zeros(len(visible), np.bool_)
    for group in _overlapping(glyphs, visible & glyphs.have_ink()):
        tested = np.isin(glyphs.owners, group) & visible & glyphs.have_ink()
        if np.count_nonzero(tested) >= _MIN_OVERLAPPING:
            found |= tested & ~_changed(page, picture, glyphs, group, scale)
    if found.any():
        found &= ~_changed(page, picture, glyphs, np.unique(glyphs.owners[found]), scale)
    return found


def _is_on_page(boxes: Boxes, picture: RawPixels) -> Mask:
    """Whether the middle of each box lies in the picture."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside: Mask = np.all((middles >= 0) & (middles <= _size(picture)), axis=1)
    return inside


def _overlapping(glyphs: _Glyphs, visible: Mask) -> list[NDArray[np.int64]]:
    """Groups of text objects that share their place with an object of another group, and with none
    of their own: without one group, the picture changes where its characters are visible."""
    owners = np.unique(glyphs.owners[visible])
    if not 1 < len(owners) <= _MAX_COMPARED:
        return []
    groups: list[list[int]] = []
    for owner, near in _neighbours(glyphs.extents(), owners).items():
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


def _changed(
    page: pdfium.PdfPage,
    picture: RawPixels,
    glyphs: _Glyphs,
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
    difference = _difference(_array(picture), _array(without)).max(axis=2)
    return _any_inside(difference >= _MIN_CONTRAST, glyphs.boxes)


def render(page: pdfium.PdfPage, scale: float) -> RawPixels:
    """The page in RGB, upright, `scale` pixels a point, in the memory that pdfium renders into."""
    bitmap = page.render(
        scale=scale, rev_byteorder=True, force_bitmap_format=pdfium_c.FPDFBitmap_BGR
    )
    bitmap.close()  # its memory stays
    return RawPixels(bitmap.width, bitmap.height, memoryview(bitmap.buffer).cast("B"))


def _size(picture: RawPixels) -> tuple[int, int]:
    return picture.width, picture.height


def _array(picture: RawPixels) -> NDArray[np.uint8]:
    """(height, width, 3), without a copy."""
    pixels = np.frombuffer(picture.data, np.uint8)  # type: ignore[arg-type]
    return pixels.reshape(picture.height, picture.width, 3)
