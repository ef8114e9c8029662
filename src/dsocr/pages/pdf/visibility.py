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

from dsocr.pages.pdf.characters import Characters
from dsocr.pages.pdf.comparing import MIN_CONTRAST, changes, has_ink
from dsocr.pages.pdf.covering import over_images, overlapping_groups, under_images
from dsocr.pages.pdf.glyphs import Boxes, Glyphs, Mask, size_of
from dsocr.pages.pdf.objects import PageObject, handle_of
from dsocr.types import RawPixels

_MIN_PIXELS = 3.0
"""Height of the smallest character that the picture can show."""
_MIN_OVERLAPPING = 4
"""Characters of a group that is worth a test: accents are printed over their letters."""
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
    glyphs = Glyphs.of(page, characters, picture)
    if not glyphs.indices.size:
        return Hidden(frozenset(), frozenset(), 0)
    inked = has_ink(picture, glyphs.boxes)
    unpainted = np.isin(glyphs.owners, _unpainted(glyphs))
    covered = np.isin(glyphs.owners, under_images(glyphs, objects, page, picture))
    hidden = unpainted | _is_tiny(glyphs, characters, scale)
    doubtful = (~inked | covered) & ~hidden & glyphs.have_ink
    if doubtful.any():
        suspects = np.unique(glyphs.owners[doubtful])
        changed = changes(page, picture, glyphs, suspects, scale)
        hidden |= np.isin(glyphs.owners, suspects) & glyphs.have_ink & ~changed
    hidden |= _under_text(page, picture, glyphs, ~hidden, scale)
    on_page = _is_on_page(glyphs.boxes, picture)
    on_image = inked & over_images(glyphs.boxes, objects, page, picture)
    dropped = (hidden & ~on_image) | ~on_page
    return Hidden(
        frozenset(glyphs.indices[dropped].tolist()),
        frozenset(glyphs.indices[hidden & ~dropped].tolist()),
        int(np.count_nonzero(dropped & on_page)),
    )


def _unpainted(glyphs: Glyphs) -> list[int]:
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
    return not known or alpha.value >= MIN_CONTRAST


def _is_tiny(glyphs: Glyphs, characters: Characters, scale: float) -> Mask:
    """Characters in a type size that the picture cannot show."""
    _, first = np.unique(glyphs.owners, return_index=True)
    sizes = [characters.type_size(int(index)) for index in glyphs.indices[first]]
    tiny: Mask = (np.array(sizes) * scale < _MIN_PIXELS)[glyphs.owners]
    return tiny


def _under_text(
    page: pdfium.PdfPage, picture: RawPixels, glyphs: Glyphs, visible: Mask, scale: float
) -> Mask:
    """Characters under other text: an old wording, painted over. Where a text is printed twice,
    neither print changes the picture alone, so all that is found is tested once more together."""
    found = np.zeros(len(visible), np.bool_)
    for group in overlapping_groups(glyphs, visible & glyphs.have_ink):
        tested = np.isin(glyphs.owners, group) & visible & glyphs.have_ink
        if np.count_nonzero(tested) >= _MIN_OVERLAPPING:
            found |= tested & ~changes(page, picture, glyphs, group, scale)
    if found.any():
        found &= ~changes(page, picture, glyphs, np.unique(glyphs.owners[found]), scale)
    return found


def _is_on_page(boxes: Boxes, picture: RawPixels) -> Mask:
    """Whether the middle of each box lies in the picture."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside: Mask = np.all((middles >= 0) & (middles <= size_of(picture)), axis=1)
    return inside
