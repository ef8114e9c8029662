"""A PDF page's text layer as lines with boxes. Runs only in a decoding process.

pdfium gives characters in reading order; a line ends at its line breaks, where the next character
is at another height, or after a gap wider than a space between words (another column or cell).
"""

from __future__ import annotations

import ctypes
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from dsocr.pages.pdf.characters import NO_FONT, Bounds, Characters
from dsocr.pages.pdf.letter_spacing import SpacedLine, letter_spaced, spaced_line
from dsocr.pages.pdf.right_to_left import Letter, has_right_to_left, reading_order_text
from dsocr.types import Box, FontRun, TextLine

_GAP = 1.2
"""Widest gap inside a line, in character heights; gaps of justified text are well below."""
_OVERLAP = 0.4
"""Smallest overlap of two characters of one line, as a share of the smaller height."""
_WORD_GAP = 0.7
"""Widest gap between two parts of a right-to-left line, in character heights."""
_SAME_LINE = 0.7
_DEVICE = 1 << 20
"""Side of the integer grid that pdfium maps page points to; it applies rotation and cropping."""
_LINE_BREAKS = "\r\n"
_SPACE = (" ", 0.0, 0.0, NO_FONT)


class Frame:
    """Maps points of a page to fractions of its upright, cropped picture."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        self._page = page

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """Clamped to the page; corners sorted."""
        (x0, y0), (x1, y1) = self.point(left, bottom), self.point(right, top)
        sides = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
        return Box(*(min(1.0, max(0.0, side)) for side in sides))

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Fractions of the picture's width and height; outside 0-1 for a cropped point."""
        across, down = ctypes.c_int(), ctypes.c_int()
        pdfium_c.FPDF_PageToDevice(
            self._page, 0, 0, _DEVICE, _DEVICE, 0, x, y, ctypes.byref(across), ctypes.byref(down)
        )
        return across.value / _DEVICE, down.value / _DEVICE


@dataclass(slots=True)
class _Run:
    """Characters of one line so far. The box is in points; `vertical` lines run up or down."""

    vertical: bool
    left: float
    bottom: float
    right: float
    top: float
    letters: list[tuple[str, float, float, int]] = field(default_factory=list)
    """Each character with its extent along the line and its font; spaces have neither."""
    right_to_left: bool = False
    """Known once the line is complete."""
    words: str | None = None
    """The text of letter-spaced words, known once the page is complete."""

    def joined(self) -> str:
        return "".join([letter[0] for letter in self.letters])

    def text(self) -> str:
        if self.right_to_left:
            letters = [Letter(*letter[:3]) for letter in self.letters]
            return reading_order_text(letters, self.top - self.bottom)
        if self.words is not None:
            return self.words
        return " ".join(self.joined().split())

    def spaced(self) -> SpacedLine | None:
        """The line with the gaps of its letters, if it has about as many blanks as letters."""
        if (
            self.vertical
            or self.right_to_left
            or 3 * self.letters.count(_SPACE) < len(self.letters)
        ):
            return None
        return spaced_line(self.letters, self.top - self.bottom)

    def fonts(self) -> tuple[FontRun, ...]:
        """The fonts of the text's characters, blanks left out; empty where these are reordered."""
        if self.right_to_left:
            return ()
        fonts = [font for text, *_, font in self.letters for _ in text if font != NO_FONT]
        return tuple((font, len(list(run))) for font, run in groupby(fonts))

    def add(self, character: str, box: Bounds, font: int) -> bool:
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
        self.letters.append((character, left, right, font))
        return True

    def _accepts(self, left: float, bottom: float, right: float, top: float) -> bool:
        if self.vertical:
            return _joins(self.left, self.right, left, right, self.bottom, self.top, bottom, top)
        return _joins(self.bottom, self.top, bottom, top, self.left, self.right, left, right)

    def grow(self, left: float, bottom: float, right: float, top: float) -> None:
        self.left, self.bottom = min(self.left, left), min(self.bottom, bottom)
        self.right, self.top = max(self.right, right), max(self.top, top)


def text_lines(
    characters: Characters, frame: Frame, *, only: Container[int] | None = None
) -> list[TextLine]:
    """The lines of the page's text in the PDF's order; blank and cropped ones are left out.

    `only` holds the indices of the characters that are taken, where these are not all.
    """
    runs = _merge_right_to_left(list(_runs(characters, only)))
    _join_spaced_letters(runs)
    placed = (
        TextLine(text, frame.box(run.left, run.bottom, run.right, run.top), fonts=run.fonts())
        for run in runs
        if (text := run.text())
    )
    return [line for line in placed if _is_on_page(line.box)]


def _join_spaced_letters(runs: Sequence[_Run]) -> None:
    spaced = {id(line): (run, line) for run in runs if (line := run.spaced()) is not None}
    for line in letter_spaced([line for _, line in spaced.values()]):
        spaced[id(line)][0].words = line.words()


def _is_on_page(box: Box) -> bool:
    """A line outside the crop box is clamped to the edge and has no area."""
    return box.x1 > box.x0 and box.y1 > box.y0


def _runs(characters: Characters, only: Container[int] | None) -> Iterator[_Run]:
    run: _Run | None = None
    for index, (character, box, font) in enumerate(characters):
        if only is not None and index not in only and not character.isspace():
            continue
        if character in _LINE_BREAKS:
            if run and character:
                yield run
                run = None
        elif character.isspace():
            if run:
                run.letters.append(_SPACE)
        elif box is None:
            if run:
                run.letters.append((character, run.right, run.right, font))
        elif not (run and run.add(character, box, font)):
            if run:
                yield run
            first = (character, box[0], box[2], font)
            run = _Run(characters.is_vertical(index), *box, [first])
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
