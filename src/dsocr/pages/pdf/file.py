"""A PDF's pages: rendered upright, with their text layer and the share that images cover.

Runs only in a decoding process: pdfium is not thread-safe, and PDFs may be hostile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from dsocr.errors import BadPdf, PasswordRequired
from dsocr.pages.pdf.characters import Characters
from dsocr.pages.pdf.comparing import render
from dsocr.pages.pdf.objects import PageObject, painted_objects
from dsocr.pages.pdf.scale import scale_for_content
from dsocr.pages.pdf.text import Frame, text_lines
from dsocr.pages.pdf.unshown_content import unshown_content
from dsocr.pages.pdf.visibility import hidden_characters
from dsocr.types import HIDDEN_TEXT, Box, PageImage, RawPixels, TextLine

DEFAULT_DPI = 144
"""At which the authors render PDF pages for the model (spec 3.1)."""
POINTS_PER_INCH = 72
MAX_SIDE = 10_000
"""Longest side of a rendered page in pixels."""
_MIN_HIDDEN = 4
"""Hidden characters from which a page is flagged; fewer are leftovers of layout programs."""
_GRID = 64
"""Image coverage is counted on a grid of so many cells a side."""


class PdfFile:
    """One open PDF, whose pages are rendered one at a time."""

    def __init__(self, path: Path, *, password: str | None, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        try:
            self._pdf = pdfium.PdfDocument(path, password=password)
        except pdfium.PdfiumError as error:
            if error.err_code == pdfium_c.FPDF_ERR_PASSWORD:
                wrong = "The password is wrong." if password else "The PDF asks for a password."
                raise PasswordRequired(wrong) from error
            raise BadPdf("The PDF is broken: it cannot be opened.") from error
        self.num_pages = len(self._pdf)
        if self.num_pages < 1:
            raise BadPdf("The PDF has no pages.")
        self._flags = unshown_content(self._pdf)
        with suppress(pdfium.PdfiumError):  # pages with a broken form can still be rendered
            self._pdf.init_forms()

    def render_page(self, index: int, *, dpi: float | None) -> PageImage:
        try:
            page = self._pdf[index]
        except (pdfium.PdfiumError, IndexError) as error:
            raise BadPdf(f"Page {index + 1} of the PDF is broken.") from error
        try:
            return self._render(page, index, dpi)
        except (pdfium.PdfiumError, ValueError) as error:
            raise BadPdf(f"Page {index + 1} of the PDF cannot be rendered.") from error
        finally:
            page.close()

    def close(self) -> None:
        self._pdf.close()

    def _render(self, page: pdfium.PdfPage, index: int, dpi: float | None) -> PageImage:
        objects = painted_objects(page)
        if dpi is None:
            usual = DEFAULT_DPI / POINTS_PER_INCH
            dpi = POINTS_PER_INCH * scale_for_content(page, objects, usual=usual)
        scale = fitting_scale(page.get_size(), dpi=dpi, max_pixels=self._max_pixels)
        pixels, frame = render(page, scale), Frame(page)
        text = _text_layer(page, pixels, objects, frame, scale)
        return PageImage(
            index,
            pixels,
            pixels.width,
            pixels.height,
            dpi=scale * POINTS_PER_INCH,
            text_lines=text.visible,
            hidden_lines=text.over_image,
            image_share=_image_share(objects, frame),
            flags=((HIDDEN_TEXT,) if text.has_dropped else ()) + self._flags,
        )


@dataclass(frozen=True, slots=True)
class _TextLayer:
    visible: tuple[TextLine, ...]
    over_image: tuple[TextLine, ...]
    has_dropped: bool
    """Whether words of the layer are left out because the page does not show them."""


def _text_layer(
    page: pdfium.PdfPage,
    pixels: RawPixels,
    objects: Sequence[PageObject],
    frame: Frame,
    scale: float,
) -> _TextLayer:
    text_page = page.get_textpage()
    try:
        characters = Characters(text_page)
        hidden = hidden_characters(page, characters, pixels, objects, scale=scale)
        visible = hidden.visible(len(characters.texts))
        lines = text_lines(characters, frame, only=visible)
        scanned = hidden.over_image
        over_image = text_lines(characters, frame, only=scanned) if scanned else []
    finally:
        text_page.close()
    has_dropped = hidden.num_on_page >= _MIN_HIDDEN
    return _TextLayer(tuple(lines), tuple(over_image), has_dropped)


def fitting_scale(size: tuple[float, float], *, dpi: float, max_pixels: int) -> float:
    """Pixels a point at `dpi`, or fewer to stay within the limits. Raises `BadPdf`."""
    width, height = size
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise BadPdf("The page has no size.")
    scale = min(dpi / POINTS_PER_INCH, MAX_SIDE / max(width, height))
    if math.ceil(width * scale) * math.ceil(height * scale) <= max_pixels:
        return scale
    # Both sides are rounded up to whole pixels: the largest s with (ws + 1)(hs + 1) <= max_pixels.
    both = width + height
    area = width * height
    return (math.sqrt(both**2 + 4 * area * (max_pixels - 1)) - both) / (2 * area)


def _image_share(objects: Sequence[PageObject], frame: Frame) -> float:
    """The part of the page that raster images cover, 0-1, overlaps counted once."""
    covered = bytearray(_GRID * _GRID)
    for box in _image_boxes(objects, frame):
        x0, x1 = round(box.x0 * _GRID), round(box.x1 * _GRID)
        for row in range(round(box.y0 * _GRID), round(box.y1 * _GRID)):
            covered[row * _GRID + x0 : row * _GRID + x1] = b"\1" * (x1 - x0)
    return sum(covered) / len(covered)


def _image_boxes(objects: Sequence[PageObject], frame: Frame) -> Iterator[Box]:
    for item in objects:
        if item.kind == pdfium_c.FPDF_PAGEOBJ_IMAGE and item.bounds is not None:
            yield frame.box(*item.bounds)
