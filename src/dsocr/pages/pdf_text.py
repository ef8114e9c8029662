"""A PDF page's text layer as lines with boxes. Runs only in a decoding process.

pdfium gives characters in reading order; a line ends at its line breaks, where the next character
is at another height, or after a gap wider than a space between words (another column or cell).
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

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
    """Characters of one line so far. The box is in points; `vertical` lines run up or down."""

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
            return reading_order_text(self.letters, self.top - self.bottom)
        return " ".join("".join(letter.text for letter in self.letters).split())

    def accepts(self, left: float, bottom: float, right: float, top: float) -> bool:
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
        runs = _merge_right_to_left(list(_runs(text_page)))
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
        if run and not run.accepts(*box):
            yield run
            run = None
        if run is None:
            run = _Run(_is_vertical(text_page, index), *box)
        run.grow(*box)
        run.letters.append(Letter(character, box[0], box[2]))
    if run:
        yield run


def _merge_right_to_left(runs: list[_Run]) -> list[_Run]:
    """Merges the parts of right-to-left lines: pdfium breaks them at each change of direction."""
    merged: list[_Run] = []
    for run in runs:
        near = next((line for line in merged if _is_part_of(run, line)), None)
        if near is None:
            merged.append(run)
            continue
        near.grow(run.left, run.bottom, run.right, run.top)
        near.letters += [Letter(" "), *run.letters]
    return merged


def _is_part_of(run: _Run, line: _Run) -> bool:
    if run.vertical or line.vertical or not (run.right_to_left or line.right_to_left):
        return False
    height = min(run.top - run.bottom, line.top - line.bottom)
    shared = min(run.top, line.top) - max(run.bottom, line.bottom)
    gap = max(run.left - line.right, line.left - run.right)
    return shared > _SAME_LINE * height and gap < _WORD_GAP * height


def _codes(text_page: pdfium.PdfTextPage) -> Iterator[tuple[int, int]]:
    """Character numbers and code points; pdfium counts each half of a UTF-16 surrogate pair."""
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
    """Lone surrogates and invalid code points become the replacement character."""
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def _fraction(value: int) -> float:
    return min(1.0, max(0.0, value / _DEVICE))
