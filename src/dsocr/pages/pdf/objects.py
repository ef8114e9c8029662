"""The texts and images of a PDF page in the order in which they are painted, forms entered.

Runs only in a decoding process.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from dsocr.pages.pdf.calls import address_of, function

MAX_OBJECTS = 20_000
"""Of a page; further ones are left out."""
_MAX_FORM_DEPTH = 4

Matrix = tuple[float, float, float, float, float, float]
Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top in points of the page."""
_IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)


@dataclass(frozen=True, slots=True)
class PageObject:
    """A text or a raster image of a page."""

    kind: int
    """FPDF_PAGEOBJ_TEXT or FPDF_PAGEOBJ_IMAGE."""
    address: int
    """Identifies the object; `Characters.owners` has it too."""
    bounds: Bounds | None
    """Of an image; None for a text, and where pdfium knows none."""


def painted_objects(page: pdfium.PdfPage) -> list[PageObject]:
    """The page's texts and images, first painted first; those of forms in their form's place.

    A page has thousands of objects. Of a path, which is neither, only the kind is asked for, with
    plain addresses, which takes a fraction of the time that the checked wrappers take.
    """
    found: list[PageObject] = []
    page_address = address_of(page.raw)
    _collect(_Parent(page_address, _count_on_page, _get_on_page), MAX_OBJECTS, found)
    return found


def handle_of(address: int) -> object:
    """The object at that address, as pdfium's functions take it."""
    return ctypes.cast(address, pdfium_c.FPDF_PAGEOBJECT)


class _Parent(NamedTuple):
    """A page or a form."""

    address: int
    count: Callable[[int], int]
    get: Callable[[int, int], int | None]
    matrix: Matrix = _IDENTITY
    """From its objects to the page."""
    depth: int = 0


def _collect(parent: _Parent, left: int, found: list[PageObject]) -> int:
    """Adds the objects of a page or a form to `found`, at most `left` of any kind; returns how
    many are left to the rest of the page."""
    for number in range(parent.count(parent.address)):
        if not left:
            break
        item = parent.get(parent.address, number)
        if not item:
            continue
        left -= 1
        kind = _get_type(item)
        if kind == pdfium_c.FPDF_PAGEOBJ_TEXT:
            found.append(PageObject(kind, item, None))
        elif kind == pdfium_c.FPDF_PAGEOBJ_IMAGE:
            bounds = _bounds(handle_of(item))
            found.append(PageObject(kind, item, bounds and _transformed(bounds, parent.matrix)))
        elif kind == pdfium_c.FPDF_PAGEOBJ_FORM and parent.depth < _MAX_FORM_DEPTH:
            left = _collect(_form(item, parent), left, found)
    return left


def _form(address: int, parent: _Parent) -> _Parent:
    matrix = _after(_matrix(handle_of(address)), parent.matrix)
    return _Parent(address, _count_in_form, _get_in_form, matrix, parent.depth + 1)


def _bounds(item: Any) -> Bounds | None:
    values = [ctypes.c_float() for _ in range(4)]
    if not pdfium_c.FPDFPageObj_GetBounds(item, *values):
        return None
    left, bottom, right, top = (value.value for value in values)
    return left, bottom, right, top


def _matrix(item: Any) -> Matrix:
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
    if matrix is _IDENTITY:  # an object of no form, as most are
        return min(left, right), min(bottom, top), max(left, right), max(bottom, top)
    a, b, c, d, e, f = matrix
    corners = [(x, y) for x in (left, right) for y in (bottom, top)]
    xs = [a * x + c * y + e for x, y in corners]
    ys = [b * x + d * y + f for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


_get_type = function("FPDFPageObj_GetType", ctypes.c_int, ctypes.c_void_p)
_count_on_page = function("FPDFPage_CountObjects", ctypes.c_int, ctypes.c_void_p)
_get_on_page = function("FPDFPage_GetObject", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_count_in_form = function("FPDFFormObj_CountObjects", ctypes.c_int, ctypes.c_void_p)
_get_in_form = function("FPDFFormObj_GetObject", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong)
