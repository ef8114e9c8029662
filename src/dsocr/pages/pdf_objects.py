"""The objects of a PDF page in the order in which they are painted, forms entered.

Runs only in a decoding process.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

MAX_OBJECTS = 20_000
"""Of a page; further ones are left out."""
_MAX_FORM_DEPTH = 4

Matrix = tuple[float, float, float, float, float, float]
Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top in points of the page."""
_IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)


@dataclass(frozen=True, slots=True)
class PageObject:
    """A page object that is no form; `bounds` is None where pdfium knows none."""

    kind: int
    """FPDF_PAGEOBJ_TEXT, FPDF_PAGEOBJ_IMAGE ..."""
    address: int
    """Identifies the object; `Characters.owners` has it too."""
    bounds: Bounds | None


def painted_objects(page: pdfium.PdfPage) -> Iterator[PageObject]:
    """The page's objects, first painted first; those of forms in their form's place."""
    left = MAX_OBJECTS
    stack = [_children(page, _IDENTITY, 0, left)]
    while stack and left:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        left -= 1
        item, matrix, depth = found
        kind = pdfium_c.FPDFPageObj_GetType(item)
        if kind != pdfium_c.FPDF_PAGEOBJ_FORM:
            bounds = _bounds(item)
            placed = bounds and _transformed(bounds, matrix)
            yield PageObject(kind, ctypes.addressof(item.contents), placed)
        elif depth < _MAX_FORM_DEPTH:
            stack.append(_children(item, _after(_matrix(item), matrix), depth + 1, left))


def handle_of(address: int) -> object:
    """The object at that address, as pdfium's functions take it."""
    return ctypes.cast(address, pdfium_c.FPDF_PAGEOBJECT)


_Child = tuple[Any, Matrix, int]


def _children(parent: Any, matrix: Matrix, depth: int, limit: int) -> Iterator[_Child]:
    """The objects of a page (depth 0) or a form, with the matrix from them to the page."""
    if depth:
        count, get = pdfium_c.FPDFFormObj_CountObjects(parent), pdfium_c.FPDFFormObj_GetObject
    else:
        count, get = pdfium_c.FPDFPage_CountObjects(parent), pdfium_c.FPDFPage_GetObject
    for number in range(min(limit, count)):
        item = get(parent, number)
        if item:
            yield item, matrix, depth


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
