"""The characters of a PDF page and their boxes, as pdfium gives them."""

from __future__ import annotations

import ctypes
import math
from collections import deque
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from numpy.typing import NDArray

from dsocr.pages.pdf.calls import address_of, function

MAX_CHARACTERS = 100_000
"""Of a page; further characters are left out."""
NO_FONT = -1
"""Instead of the number of a font: pdfium knows none."""
_HYPHENS = {0x02, 0xAD}
"""pdfium's mark for a hyphen at a line's end, and the soft hyphen, which is drawn as one."""
_FIRST_SURROGATE = 0xD800
_RECT_BYTES = ctypes.sizeof(pdfium_c.FS_RECTF)

Bounds = tuple[float, float, float, float]
"""Left, bottom, right and top in points."""


class Characters:
    """The characters of a page and their boxes, in the order of the PDF.

    A page has thousands. pdfium's functions are called with plain addresses here, in one loop each,
    which takes a fraction of the time that the checked wrappers take.
    """

    def __init__(self, text_page: pdfium.PdfTextPage) -> None:
        self._page = address_of(text_page.raw)
        self._count = min(MAX_CHARACTERS, pdfium_c.FPDFText_CountChars(text_page))

    def __iter__(self) -> Iterator[tuple[str, Bounds | None, int]]:
        """A character, its box, and its font. The second half of a surrogate pair is an empty
        string."""
        return zip(self.texts, self._boxes(), self._fonts(), strict=True)

    def is_vertical(self, index: int) -> bool:
        angle = _get_angle(self._page, index)
        return angle >= 0 and abs(math.sin(angle)) > 0.7

    @cached_property
    def texts(self) -> list[str]:
        codes = list(map(_get_unicode, [self._page] * self._count, range(self._count)))
        texts = [_character(code) for code in codes]
        if max(codes, default=0) < _FIRST_SURROGATE:
            return texts
        for index in range(len(codes) - 1):
            high, low = codes[index], codes[index + 1]
            if _FIRST_SURROGATE <= high < 0xDC00 <= low < 0xE000:  # pdfium counts each half
                texts[index] = chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)
                texts[index + 1] = ""
        return texts

    @cached_property
    def owners(self) -> list[int]:
        """The address of each character's text object; 0 for characters that pdfium adds."""
        found = map(_get_text_object, [self._page] * self._count, range(self._count))
        return [owner or 0 for owner in found]

    def ink_boxes(self) -> NDArray[np.float64]:
        """(n, 4): left, bottom, right, top of the ink of each character in points; all 0 where
        pdfium knows none."""
        boxes = np.zeros((self._count, 4))
        start, end = boxes.ctypes.data, boxes.ctypes.data + boxes.nbytes
        columns = (range(start + 8 * side, end, 32) for side in (0, 2, 1, 3))
        found = map(_get_ink_box, [self._page] * self._count, range(self._count), *columns)
        deque(found, maxlen=0)
        return boxes

    def type_size(self, index: int) -> float:
        """The longer side of the box with the font's full height, in points."""
        rect = (ctypes.c_float * 4)()
        if not _get_loose_box(self._page, index, ctypes.addressof(rect)):
            return math.inf
        left, top, right, bottom = rect
        return max(abs(right - left), abs(top - bottom))

    def _fonts(self) -> list[int]:
        """A number for each font, by the order of their first use."""
        numbers: dict[int, int] = {}
        by_owner = {0: NO_FONT}
        for owner in dict.fromkeys(self.owners):
            if owner:
                by_owner[owner] = numbers.setdefault(_get_font(owner) or 0, len(numbers))
        return [by_owner[owner] for owner in self.owners]

    def _boxes(self) -> list[Bounds | None]:
        """Each box has the font's full height, so that a dot is as high as a letter."""
        count = self._count
        rects = (ctypes.c_float * (4 * count))()  # of FS_RECTF: left, top, right, bottom
        start = ctypes.addressof(rects)
        addresses = range(start, start + _RECT_BYTES * count, _RECT_BYTES)
        found = list(map(_get_loose_box, [self._page] * count, range(count), addresses))
        edges = rects[:]
        columns = (edges[first::4] for first in range(4))
        boxes = zip(found, *columns, strict=True)
        if not math.isfinite(sum(edges)):
            return [_sorted_box(*box) for box in boxes]
        return [
            (left, bottom, right, top)
            if has_box and left < right and bottom < top
            else _sorted_box(has_box, left, top, right, bottom)
            for has_box, left, top, right, bottom in boxes
        ]


def _sorted_box(
    has_box: int, left: float, top: float, right: float, bottom: float
) -> Bounds | None:
    """None for a box without an area."""
    left, right = sorted((left, right))
    bottom, top = sorted((bottom, top))
    is_finite = all(map(math.isfinite, (left, bottom, right, top)))
    if not has_box or not is_finite or right <= left or top <= bottom:
        return None
    return left, bottom, right, top


def _character(code: int) -> str:
    """Lone surrogates and invalid code points become the replacement character."""
    if code in _HYPHENS:
        return "-"
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


_get_unicode = function("FPDFText_GetUnicode", ctypes.c_uint, ctypes.c_void_p, ctypes.c_int)
_get_loose_box = function(
    "FPDFText_GetLooseCharBox", ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
)
_get_ink_box = function(
    "FPDFText_GetCharBox", ctypes.c_int, ctypes.c_void_p, ctypes.c_int, *[ctypes.c_void_p] * 4
)
_get_text_object = function(
    "FPDFText_GetTextObject", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int
)
_get_font = function("FPDFTextObj_GetFont", ctypes.c_void_p, ctypes.c_void_p)
_get_angle = function("FPDFText_GetCharAngle", ctypes.c_float, ctypes.c_void_p, ctypes.c_int)
