"""The printed characters of a PDF page's text layer, in pixels of its picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pypdfium2 as pdfium
from numpy.typing import NDArray

from dsocr.pages.pdf.characters import Characters
from dsocr.pages.pdf.text import Frame
from dsocr.types import RawPixels

Boxes = NDArray[np.float64]
"""(n, 4): left, top, right, bottom in pixels of the picture."""
Mask = NDArray[np.bool_]

_MIN_INK = 0.1  # pixels


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The printed characters of a page: index, box, and the number of their text object."""

    indices: NDArray[np.int64]
    boxes: Boxes
    owners: NDArray[np.int64]
    objects: list[int]
    """The addresses of the text objects; `owners` numbers them."""
    have_ink: Mask
    """Whether the font has an outline for each; one that is not embedded may lack it here."""
    extents: Boxes
    """The box around the characters of each text object."""

    @classmethod
    def of(cls, page: pdfium.PdfPage, characters: Characters, picture: RawPixels) -> Glyphs:
        texts = zip(characters.texts, characters.owners, strict=True)
        printed = [index for index, (text, owner) in enumerate(texts) if owner and text.strip()]
        indices = np.array(printed, np.int64)
        addresses = np.array(characters.owners, np.uint64)[indices]
        objects, owners = np.unique(addresses, return_inverse=True)
        boxes = characters.ink_boxes()[indices]
        boxes = in_pixels(boxes, page, picture)
        have_ink: Mask = np.all(boxes[:, 2:] - boxes[:, :2] > _MIN_INK, axis=1)
        extents = _extents(boxes, owners, len(objects))
        return cls(indices, boxes, owners, objects.tolist(), have_ink, extents)


def _extents(boxes: Boxes, owners: NDArray[np.int64], num_objects: int) -> Boxes:
    """The box around all boxes of each owner."""
    extents = np.tile([np.inf, np.inf, -np.inf, -np.inf], (num_objects, 1))
    np.minimum.at(extents[:, :2], owners, boxes[:, :2])
    np.maximum.at(extents[:, 2:], owners, boxes[:, 2:])
    return extents


def in_pixels(boxes: Boxes, page: pdfium.PdfPage, picture: RawPixels) -> Boxes:
    """Boxes in points of the page (left, bottom, right, top) as boxes in pixels."""
    origin, across, up = (np.array(Frame(page).point(*at)) for at in ((0, 0), (1000, 0), (0, 1000)))
    matrix = np.stack([across - origin, up - origin]) / 1000 * size_of(picture)
    start = origin * size_of(picture)
    first, second = boxes[:, :2] @ matrix + start, boxes[:, 2:] @ matrix + start
    return np.hstack([np.minimum(first, second), np.maximum(first, second)])


def size_of(picture: RawPixels) -> tuple[int, int]:
    return picture.width, picture.height
