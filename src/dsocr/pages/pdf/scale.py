"""The resolution at which a small PDF page is rendered: enough for what is on it.

Pages of everyday size are rendered at a fixed resolution. A page of a few centimetres may hold a
picture of a whole sheet, or letters of one point: a fixed resolution would lose both. Runs only in
a decoding process.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from dsocr.pages.pdf.characters import Characters
from dsocr.pages.pdf.objects import PageObject, handle_of

MAX_PIXELS = 1_500_000
"""Pixels up to which a small page is enlarged: three quarters of an A4 page at 144 dpi."""
_MIN_IMAGE_SHARE = 0.3
"""Share of the page under one image from which the page takes the image's own resolution."""
_TYPE_PIXELS = 20.0
"""Height of the usual type that is read well; the box has the font's full height."""
_MIN_SIDE = 600.0
"""Pixels of the longest side of a page without raster images."""


def scale_for_content(
    page: pdfium.PdfPage, objects: Sequence[PageObject], *, usual: float
) -> float:
    """Pixels a point for what is on the page: `usual`, or more on a small page."""
    width, height = page.get_size()
    if not (0 < width < math.inf and 0 < height < math.inf):
        return usual
    most = math.sqrt(MAX_PIXELS / (width * height))
    if most <= usual:
        return usual
    wanted = _image_scale(objects, width * height) or max(
        _type_scale(page), _MIN_SIDE / max(width, height)
    )
    return max(usual, min(most, wanted))


def _image_scale(objects: Sequence[PageObject], page_area: float) -> float:
    """The resolution of the finest image that covers much of the page; 0 without one."""
    scales = [
        math.sqrt(_num_pixels(item) / area)
        for item in objects
        if item.kind == pdfium_c.FPDF_PAGEOBJ_IMAGE
        and (area := _area(item)) >= _MIN_IMAGE_SHARE * page_area
    ]
    return max(scales, default=0.0)


def _area(item: PageObject) -> float:
    left, bottom, right, top = item.bounds or (0, 0, 0, 0)
    return (right - left) * (top - bottom)


def _num_pixels(item: PageObject) -> int:
    width, height = ctypes.c_uint(), ctypes.c_uint()
    if not pdfium_c.FPDFImageObj_GetImagePixelSize(handle_of(item.address), width, height):
        return 0
    return width.value * height.value


def _type_scale(page: pdfium.PdfPage) -> float:
    """At which the page's usual type is tall enough; 0 without text."""
    text_page = page.get_textpage()
    try:
        characters = Characters(text_page)
        printed = [index for index, text in enumerate(characters.texts) if text.strip()]
        sizes = [characters.type_size(index) for index in printed]
    finally:
        text_page.close()
    known = [size for size in sizes if 0 < size < math.inf]
    return _TYPE_PIXELS / float(np.median(known)) if known else 0.0
