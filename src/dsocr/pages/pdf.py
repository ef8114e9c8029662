"""A PDF's pages: rendered upright, with their text layer and the share that images cover.

Runs only in a decoding process: pdfium is not thread-safe, and PDFs may be hostile.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from dsocr.errors import BadPdf, PasswordRequired
from dsocr.pages.pdf_text import Frame, page_lines
from dsocr.types import Box, PageImage, RawPixels

POINTS_PER_INCH = 72
MAX_SIDE = 10_000
"""Longest side of a rendered page in pixels."""
_MAX_OBJECTS = 20_000
_MAX_FORM_DEPTH = 4
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
        with suppress(pdfium.PdfiumError):  # pages with a broken form can still be rendered
            self._pdf.init_forms()

    def render_page(self, index: int, *, dpi: float) -> PageImage:
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

    def _render(self, page: pdfium.PdfPage, index: int, dpi: float) -> PageImage:
        scale = fitting_scale(page.get_size(), dpi=dpi, max_pixels=self._max_pixels)
        pixels = _pixels(page, scale)
        frame = Frame(page)
        return PageImage(
            index,
            pixels,
            pixels.width,
            pixels.height,
            dpi=scale * POINTS_PER_INCH,
            text_lines=tuple(page_lines(page, frame)),
            image_share=_image_share(page, frame),
        )


def _pixels(page: pdfium.PdfPage, scale: float) -> RawPixels:
    """The page in RGB, in the memory that pdfium has rendered it into."""
    bitmap = page.render(
        scale=scale, rev_byteorder=True, force_bitmap_format=pdfium_c.FPDFBitmap_BGR
    )
    bitmap.close()  # its memory stays
    return RawPixels(bitmap.width, bitmap.height, memoryview(bitmap.buffer).cast("B"))


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


def _image_share(page: pdfium.PdfPage, frame: Frame) -> float:
    """The part of the page that raster images cover, 0-1, overlaps counted once."""
    covered = bytearray(_GRID * _GRID)
    for box in _image_boxes(page, frame):
        x0, x1 = round(box.x0 * _GRID), round(box.x1 * _GRID)
        for row in range(round(box.y0 * _GRID), round(box.y1 * _GRID)):
            covered[row * _GRID + x0 : row * _GRID + x1] = b"\1" * (x1 - x0)
    return sum(covered) / len(covered)


def _image_boxes(page: pdfium.PdfPage, frame: Frame) -> Iterator[Box]:
    left = _MAX_OBJECTS
    stack = [
        (pdfium_c.FPDFPage_GetObject(page, number), _IDENTITY, 0)
        for number in range(min(left, pdfium_c.FPDFPage_CountObjects(page)))
    ]
    while stack and left:
        left -= 1
        item, matrix, depth = stack.pop()
        kind = pdfium_c.FPDFPageObj_GetType(item)
        if kind == pdfium_c.FPDF_PAGEOBJ_IMAGE:
            bounds = _bounds(item)
            if bounds is not None:
                yield frame.box(*_transformed(bounds, matrix))
        elif kind == pdfium_c.FPDF_PAGEOBJ_FORM and depth < _MAX_FORM_DEPTH:
            inner = _after(_matrix(item), matrix)
            count = min(left, pdfium_c.FPDFFormObj_CountObjects(item))
            stack += [
                (pdfium_c.FPDFFormObj_GetObject(item, number), inner, depth + 1)
                for number in range(count)
            ]


Matrix = tuple[float, float, float, float, float, float]
Bounds = tuple[float, float, float, float]
_IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)


def _bounds(item: object) -> Bounds | None:
    values = [ctypes.c_float() for _ in range(4)]
    if not pdfium_c.FPDFPageObj_GetBounds(item, *values):
        return None
    left, bottom, right, top = (value.value for value in values)
    return left, bottom, right, top


def _matrix(item: object) -> Matrix:
    matrix = pdfium_c.FS_MATRIX()
    if not pdfium_c.FPDFPageObj_GetMatrix(item, matrix):
        return _IDENTITY
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _after(first: Matrix, second: Matrix) -> Matrix:
    """The matrix that applies `first`, then `second`."""
    a, b, c, d, e, f = first
    k, l, m, n, o, p = second  # noqa: E741
    return (
        a * k + b * m,
        a * l + b * n,
        c * k + d * m,
        c * l + d * n,
        e * k + f * m + o,
        e * l + f * n + p,
    )


def _transformed(bounds: Bounds, matrix: Matrix) -> Bounds:
    left, bottom, right, top = bounds
    a, b, c, d, e, f = matrix
    corners = [(x, y) for x in (left, right) for y in (bottom, top)]
    xs = [a * x + c * y + e for x, y in corners]
    ys = [b * x + d * y + f for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)
