"""What recognition and layout hand to the steps after them. Pixels of the upright page."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Rect:
    """An upright rectangle in pixels, x to the right, y down."""

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


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text as recognised, or as the PDF's own text layer has it."""

    text: str
    rect: Rect
    score: float
    """Mean confidence of its characters, 0-1; 1.0 for a text layer."""
    parted: bool = False
    """A row of pieces far apart: a label and its value, an article and its price."""
    lean: float = 0.0
    """How much taller its rectangle is than its print, because it slopes. Pixels."""

    @property
    def height(self) -> float:
        """Of its print: what sizes of type and distances between rows are measured by."""
        return self.rect.height - self.lean

    def with_text(self, text: str) -> Line:
        return replace(self, text=text)


@dataclass(frozen=True, slots=True)
class Region:
    """One box of the layout model, under the model's own class name (CDLA)."""

    label: str
    """text, title, figure, figure_caption, table, table_caption, header, footer, reference,
    equation."""
    rect: Rect
    score: float
