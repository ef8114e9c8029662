"""A PDF page's text layer as lines with boxes. Runs only in a decoding process.

pdfium gives characters in reading order; a line ends at its line breaks, where the next character
is at another height, or after a gap wider than a space between words (another column or cell).
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from dsocr.pages.right_to_left import Letter, has_right_to_left, reading_order_text
from dsocr.types import Box, TextLine

MAX_CHARACTERS = 100_000
"""Of a page; further characters are left out."""
_GAP = 1.2
"""Widest gap inside a line, in character heights; gaps of justified text are well below."""
_OVERLAP = 0.4
"""Smallest overlap of two characters of one line, as a share of the smaller height."""
_WORD_GAP = 0.7
"""Widest gap between two parts of a right-to-left line, in character heights."""
_SAME_LINE = 0.7
_DEVICE = 1 << 20
"""Side of the integer grid that pdfium maps page points to; it applies rotation and cropping."""
_HYPHENS = {0x02, 0xAD}
"""pdfium's mark for a hyphen at a line's end, and the soft hyphen, which is drawn as one."""
_LINE_BREAKS = "\r\n"
_SPACE = (" ", 0.0, 0.0)
_FIRST_SURROGATE = 0xD800
_RECT_BYTES = ctypes.sizeof(pdfium_c.FS_RECTF)


class Frame:
    """Maps points of a page to fractions of its upright, cropped picture."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        self._page = page

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """Clamped to the page; corners sorted."""
        x0, y0 = self._point(left, bottom)
        x1, y1 = self._point(right, top)
        return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))

    def _point(self, x: float, y: float) -> tuple[float, float]:
        across, down = ctypes.c_int(), ctypes.c_int()
        pdfium_c.FPDF_PageToDevice(
            self._page, 0, 0, _DEVICE, _DEVICE, 0, x, y, ctypes.byref(across), ctypes.byref(down)
        )
        return _fraction(across.value), _fraction(down.value)


Bounds = tuple[float, float, float, float]
"""Left, bottom, right and top in points."""


@dataclass(slots=True)
class _Run:
    """Characters of one line so far. The box is in points; `vertical` lines run up or down."""

    vertical: bool
    left: float
    bottom: float
    right: float
    top: float
    letters: list[tuple[str, float, float]] = field(default_factory=list)
    """Each character with its extent along the line; spaces have none."""
    right_to_left: bool = False
    """Known once the line is complete."""

    def joined(self) -> str:
        return "".join([letter[0] for letter in self.letters])

    def text(self) -> str:
        if self.right_to_left:
            letters = [Letter(*letter) for letter in self.letters]
            return reading_order_text(letters, self.top - self.bottom)
        return " ".join(self.joined().split())

    def add(self, character: str, box: Bounds) -> bool:
        """Adds a character if it continues the line; else returns False."""
        left, bottom, right, top = box
        if bottom == self.bottom and top == self.top and not self.vertical:  # as most do
            gap = _GAP * (top - bottom)
            if left - self.right > gap or self.left - right > gap:
                return False
            if left < self.left:
                self.left = left
            if right > self.right:
                self.right = right
        elif self._accepts(left, bottom, right, top):
            self.grow(left, bottom, right, top)
        else:
            return False
        self.letters.append((character, left, right))
        return True

    def _accepts(self, left: float, bottom: float, right: float, top: float) -> bool:
        if self.vertical:
            return _joins(self.left, self.right, left, right, self.bottom, self.top, bottom, top)
        return _joins(self.bottom, self.top, bottom, top, self.left, self.right, left, right)

    def grow(self, left: float, bottom: float, right: float, top: float) -> None:
        self.left, self.bottom = min(self.left, left), min(self.bottom, bottom)
        self.right, self.top = max(self.right, right), max(self.top, top)


def page_lines(page: pdfium.PdfPage, frame: Frame) -> list[TextLine]:
    """The lines of the page's text in the PDF's order; blank and cropped ones are left out."""
    text_page = page.get_textpage()
    try:
        runs = _merge_right_to_left(list(_runs(_Characters(text_page))))
    finally:
        text_page.close()
    placed = (
        TextLine(text, frame.box(run.left, run.bottom, run.right, run.top))
        for run in runs
        if (text := run.text())
    )
    return [line for line in placed if _is_on_page(line.box)]


def _is_on_page(box: Box) -> bool:
    """A line outside the crop box is clamped to the edge and has no area."""
    return box.x1 > box.x0 and box.y1 > box.y0


class _Characters:
    """The characters of a page and their boxes, in the order of the PDF.

    A page has thousands. pdfium's functions are called with plain addresses here, in one loop each,
    which takes a fraction of the time that the checked wrappers take.
    """

    def __init__(self, text_page: pdfium.PdfTextPage) -> None:
        self._page = _address(text_page.raw)
        self._count = min(MAX_CHARACTERS, pdfium_c.FPDFText_CountChars(text_page))

    def __iter__(self) -> Iterator[tuple[str, Bounds | None]]:
        """A character and its box. The second half of a surrogate pair is an empty string."""
        return zip(self._texts(), self._boxes(), strict=True)

    def is_vertical(self, index: int) -> bool:
        angle = _get_angle(self._page, index)
        return angle >= 0 and abs(math.sin(angle)) > 0.7

    def _texts(self) -> list[str]:
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


def _runs(characters: _Characters) -> Iterator[_Run]:
    run: _Run | None = None
    for index, (character, box) in enumerate(characters):
        if character in _LINE_BREAKS:
            if run and character:
                yield run
                run = None
        elif character.isspace():
            if run:
                run.letters.append(_SPACE)
        elif box is None:
            if run:
                run.letters.append((character, run.right, run.right))
        elif not (run and run.add(character, box)):
            if run:
                yield run
            run = _Run(characters.is_vertical(index), *box, [(character, box[0], box[2])])
    if run:
        yield run


def _merge_right_to_left(runs: list[_Run]) -> list[_Run]:
    """Merges the parts of right-to-left lines: pdfium breaks them at each change of direction."""
    for run in runs:
        run.right_to_left = not run.vertical and has_right_to_left(run.joined())
    if not any(run.right_to_left for run in runs):
        return runs
    merged: list[_Run] = []
    for run in runs:
        near = next((line for line in merged if _is_part_of(run, line)), None)
        if near is None:
            merged.append(run)
            continue
        near.grow(run.left, run.bottom, run.right, run.top)
        near.letters += [_SPACE, *run.letters]
        near.right_to_left = True
    return merged


def _is_part_of(run: _Run, line: _Run) -> bool:
    if run.vertical or line.vertical or not (run.right_to_left or line.right_to_left):
        return False
    height = min(run.top - run.bottom, line.top - line.bottom)
    shared = min(run.top, line.top) - max(run.bottom, line.bottom)
    gap = max(run.left - line.right, line.left - run.right)
    return shared > _SAME_LINE * height and gap < _WORD_GAP * height


def _joins(
    low: float,
    high: float,
    new_low: float,
    new_high: float,
    start: float,
    end: float,
    new_start: float,
    new_end: float,
) -> bool:
    """Whether a character continues a line: low-high across it, start-end along it."""
    height = min(high - low, new_high - new_low)
    shared = min(high, new_high) - max(low, new_low)
    gap = max(new_start - end, start - new_end)
    return shared >= _OVERLAP * height and gap <= _GAP * max(high - low, new_high - new_low)


def _character(code: int) -> str:
    """Lone surrogates and invalid code points become the replacement character."""
    if code in _HYPHENS:
        return "-"
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def _fraction(value: int) -> float:
    return min(1.0, max(0.0, value / _DEVICE))


def _address(handle: Any) -> int:
    """Of what a pointer of pdfium's wrapper, or one of its functions, points to."""
    address = ctypes.cast(handle, ctypes.c_void_p).value
    assert address is not None
    return address


_get_unicode = ctypes.PYFUNCTYPE(ctypes.c_uint, ctypes.c_void_p, ctypes.c_int)(
    _address(pdfium_c.FPDFText_GetUnicode)
)
_get_loose_box = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
    _address(pdfium_c.FPDFText_GetLooseCharBox)
)
_get_angle = ctypes.PYFUNCTYPE(ctypes.c_float, ctypes.c_void_p, ctypes.c_int)(
    _address(pdfium_c.FPDFText_GetCharAngle)
)
