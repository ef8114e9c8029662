"""A PDF page's own text as lines with boxes. Runs only in a decoding child.

pdfium gives characters in reading order; a line ends where it says so, where the next character
stands on another height, or after a gap wider than words leave (another column or cell).
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from dsocr.pages.right_to_left import Letter, as_read, has_right_to_left
from dsocr.types import Box, TextLine

MAX_CHARACTERS = 100_000
"""Of a page; more are left to recognition."""
_GAP = 1.2
"""Widest gap inside a line, in character heights; justified text stays well below."""
_OVERLAP = 0.4
"""Least part of the smaller height that characters of one line share."""
_WORD_GAP = 0.7
"""Widest gap between two parts of a line from right to left, in character heights."""
_SAME_LINE = 0.7
_DEVICE = 1 << 20
"""Side of the fine integer grid that pdfium maps page points to; turns and crops are its job."""
_HYPHENS = {0x02, 0xAD}
"""pdfium's mark for a hyphen at a line's end; a soft hyphen, which on paper is a drawn one."""


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


@dataclass(slots=True)
class _Run:
    """A line in the making. The box is in points; `vertical` lines run up or down the page."""

    vertical: bool
    left: float
    bottom: float
    right: float
    top: float
    letters: list[Letter] = field(default_factory=list)

    @property
    def right_to_left(self) -> bool:
        return not self.vertical and any(has_right_to_left(letter.text) for letter in self.letters)

    def text(self) -> str:
        if self.right_to_left:
            return as_read(self.letters, self.top - self.bottom)
        return " ".join("".join(letter.text for letter in self.letters).split())

    def takes(self, left: float, bottom: float, right: float, top: float) -> bool:
        if self.vertical:
            return _joins(self.left, self.right, left, right, self.bottom, self.top, bottom, top)
        return _joins(self.bottom, self.top, bottom, top, self.left, self.right, left, right)

    def grow(self, left: float, bottom: float, right: float, top: float) -> None:
        self.left, self.bottom = min(self.left, left), min(self.bottom, bottom)
        self.right, self.top = max(self.right, right), max(self.top, top)


def page_lines(page: pdfium.PdfPage, frame: Frame) -> list[TextLine]:
    """All lines of the page's text in the PDF's own order; blank or cropped ones are left out."""
    text_page = page.get_textpage()
    try:
        runs = _whole_lines(list(_runs(text_page)))
    finally:
        text_page.close()
    placed = (
        TextLine(text, frame.box(run.left, run.bottom, run.right, run.top))
        for run in runs
        if (text := run.text())
    )
    return [line for line in placed if _is_on_page(line.box)]


def _is_on_page(box: Box) -> bool:
    """What the crop box cuts away is clamped to the edge and has no area left."""
    return box.x1 > box.x0 and box.y1 > box.y0


def _runs(text_page: pdfium.PdfTextPage) -> Iterator[_Run]:
    run: _Run | None = None
    for index, code in _codes(text_page):
        character = "-" if code in _HYPHENS else _character(code)
        if character in "\r\n":
            if run:
                yield run
            run = None
            continue
        if character.isspace():
            if run:
                run.letters.append(Letter(" "))
            continue
        box = _loose_box(text_page, index)
        if box is None:
            if run:
                run.letters.append(Letter(character, run.right, run.right))
            continue
        if run and not run.takes(*box):
            yield run
            run = None
        if run is None:
            run = _Run(_is_vertical(text_page, index), *box)
        run.grow(*box)
        run.letters.append(Letter(character, box[0], box[2]))
    if run:
        yield run


def _whole_lines(runs: list[_Run]) -> list[_Run]:
    """pdfium breaks lines from right to left at every change of direction: their parts as one."""
    whole: list[_Run] = []
    for run in runs:
        near = next((line for line in whole if _is_part_of(run, line)), None)
        if near is None:
            whole.append(run)
            continue
        near.grow(run.left, run.bottom, run.right, run.top)
        near.letters += [Letter(" "), *run.letters]
    return whole


def _is_part_of(run: _Run, line: _Run) -> bool:
    if run.vertical or line.vertical or not (run.right_to_left or line.right_to_left):
        return False
    height = min(run.top - run.bottom, line.top - line.bottom)
    shared = min(run.top, line.top) - max(run.bottom, line.bottom)
    gap = max(run.left - line.right, line.left - run.right)
    return shared > _SAME_LINE * height and gap < _WORD_GAP * height


def _codes(text_page: pdfium.PdfTextPage) -> Iterator[tuple[int, int]]:
    """Characters' numbers and code points; pdfium counts the halves of a UTF-16 pair apart."""
    count = min(MAX_CHARACTERS, pdfium_c.FPDFText_CountChars(text_page))
    index = 0
    while index < count:
        first, code = index, pdfium_c.FPDFText_GetUnicode(text_page, index)
        index += 1
        if 0xD800 <= code < 0xDC00 and index < count:
            low = pdfium_c.FPDFText_GetUnicode(text_page, index)
            if 0xDC00 <= low < 0xE000:
                code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00
                index += 1
        yield first, code


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


def _loose_box(
    text_page: pdfium.PdfTextPage, index: int
) -> tuple[float, float, float, float] | None:
    """The character's box with the font's full height, so that a dot is as high as a letter."""
    rect = pdfium_c.FS_RECTF()
    if not pdfium_c.FPDFText_GetLooseCharBox(text_page, index, rect):
        return None
    left, right = sorted((rect.left, rect.right))
    bottom, top = sorted((rect.bottom, rect.top))
    if not all(map(math.isfinite, (left, bottom, right, top))) or right <= left or top <= bottom:
        return None
    return left, bottom, right, top


def _is_vertical(text_page: pdfium.PdfTextPage, index: int) -> bool:
    angle = pdfium_c.FPDFText_GetCharAngle(text_page, index)
    return angle >= 0 and abs(math.sin(angle)) > 0.7


def _character(code: int) -> str:
    """Lone surrogates and what is no character become the replacement character."""
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def _fraction(value: int) -> float:
    return min(1.0, max(0.0, value / _DEVICE))
