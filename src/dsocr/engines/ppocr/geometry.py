"""Rectangles, lines and regions in pixels of the upright page: what the steps hand to one another.

All steps compute in these pixels. `lines/layer` converts the text layer into them, and
`view.py` converts the boxes of the result out of them; nothing in between changes the unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal

Turn = Literal[0, 90, 180, 270]
BOX_MARKS = ("[x]", "[ ]")
"""How a ticked and an empty check box begin a line."""


@dataclass(frozen=True, slots=True)
class Rect:
    """An axis-parallel rectangle in pixels, x to the right, y down."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return max(0.0, self.x1 - self.x0)

    @property
    def height(self) -> float:
        return max(0.0, self.y1 - self.y0)

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre_y(self) -> float:
        return (self.y0 + self.y1) / 2

    def intersection(self, other: Rect) -> float:
        """The shared area in square pixels."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(0.0, width) * max(0.0, height)

    def union(self, other: Rect) -> Rect:
        """The smallest rectangle around both."""
        return Rect(
            min(self.x0, other.x0),
            min(self.y0, other.y0),
            max(self.x1, other.x1),
            max(self.y1, other.y1),
        )

    def shifted(self, x: float, y: float) -> Rect:
        return Rect(self.x0 + x, self.y0 + y, self.x1 + x, self.y1 + y)


@dataclass(frozen=True, slots=True)
class Characters:
    """A line's characters as the network found them; corrections of the text leave them."""

    text: str
    chances: tuple[float, ...]
    """The probability of each character, 0-1."""
    gaps: tuple[float, ...]
    """The lowest probability of the steps from each character to the next: in a low one another
    character may be lost."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text, recognized or from the PDF's text layer."""

    text: str
    rect: Rect
    score: float
    """Mean confidence of its characters, 0-1; 1.0 for a line of the text layer."""
    has_wide_gap: bool = False
    """Whether it joins entries that stand far apart: a label and its value, goods and a price."""
    rise: float = 0.0
    """How much taller than its letters its rectangle is because the line slopes. Pixels."""
    centres: tuple[float, ...] = ()
    """The centre of each character along the line, from 0 at its start to 1 at its end; empty where
    only the rectangle is known."""
    from_layer: bool = False
    """Whether it comes from the text layer: its score is then no measurement."""
    fonts: tuple[tuple[int, int], ...] = ()
    """Of a line of the text layer: each font's number, and how many characters have it in turn,
    blanks not counted. Empty where they are not known."""
    turn: Turn = 0
    """Degrees by which it lies rotated to the right on the page."""
    is_overlay: bool = False
    """Whether it lies over other lines, as a stamp does."""
    language: str = ""
    """The language whose own network recognized it (`scripts/`); empty for a line by PP-OCR."""
    characters: Characters | None = field(default=None, compare=False, repr=False)
    """As recognized. Of a line of the text layer: as the picture shows it, where that was compared;
    else None."""

    @property
    def height(self) -> float:
        """Height of its letters: type sizes and distances between rows are measured by it."""
        return self.rect.height - self.rise

    def with_text(self, text: str) -> Line:
        """The line with another text; the positions of the old characters go."""
        return replace(self, text=text, centres=(), fonts=())

    def part(self, text: str, *, x0: float, x1: float) -> Line:
        """The part of the line from x0 to x1, which holds that text."""
        rect = replace(self.rect, x0=x0, x1=x1)
        return replace(self, text=text, rect=rect, centres=(), fonts=())


@dataclass(frozen=True, slots=True)
class Region:
    """One box of the layout model, under the model's own class name (CDLA)."""

    label: str
    """text, title, figure, figure_caption, table, table_caption, header, footer, reference,
    equation."""
    rect: Rect
    score: float


def enclose(rects: Sequence[Rect]) -> Rect:
    """The smallest rectangle around all of them."""
    return reduce(Rect.union, rects)


def share_inside(rect: Rect, other: Rect) -> float:
    """The share of the first rectangle's area that lies in the second, 0-1."""
    return rect.intersection(other) / max(rect.area, 1e-9)


def mean_score(lines: Sequence[Line]) -> float | None:
    """The mean of the lines' scores, each weighted by its characters; None without characters."""
    weight = sum(len(line.text) for line in lines)
    return sum(line.score * len(line.text) for line in lines) / weight if weight else None
