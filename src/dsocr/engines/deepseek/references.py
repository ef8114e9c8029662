"""Finds references, the model's marks of regions, in its raw output.

    <|ref|>label<|/ref|><|det|>[[x0, y0, x1, y1], ...]<|/det|>

or flat, as Unlimited-OCR writes it:

    <|det|>label [x0, y0, x1, y1]<|/det|>

Coordinates on the scale of 0-999 occur only here and in `grounding.compose_raw`. Raw output is
untrusted input: it is scanned in linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dsocr.types import Box

SCALE = 999
"""Coordinates run from 0 to this on both axes of the upright page, whatever its shape."""

REF, MIDDLE, END = "<|ref|>", "<|/ref|><|det|>", "<|/det|>"
_OPENING = re.compile(r"<\|(?:ref|det)\|>")
_FLAT = re.compile(r"<\|det\|>\s*([A-Za-z_][\w-]{0,31})\s*(\[[^<]*\])\s*<\|/det\|>")
MAX_FLAT = 200
"""A flat reference is no longer: a det without an end does not hold back what follows it."""
_NUMBER = r"[+-]?\d{1,9}(?:\.\d{0,9})?"
_QUAD = rf"[\[(]{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER},?[\])]"
_BOX = re.compile(rf"[\[(]({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER}),?[\])]")
_BOXES = re.compile(rf"[\[(](?:{_QUAD}(?:,{_QUAD})*,?)?[\])]")


@dataclass(frozen=True, slots=True)
class Reference:
    """One `ref` with its `det`, or one flat `det`, and their position in the raw text."""

    label: str
    """As the authors' pattern finds it: a ref without a det includes the text up to the next ref
    that has one."""
    boxes_text: str
    start: int
    end: int
    flat: bool = False
    """Whether it is a det alone: its label always names a kind of region."""

    @property
    def coordinates(self) -> tuple[tuple[float, float, float, float], ...]:
        """The quadruples of its det, 0-999 as written; empty if any of them is malformed."""
        compact = "".join(self.boxes_text.split())
        if re.search(r"[\d.]\s+[\d.]", self.boxes_text) or not _BOXES.fullmatch(compact):
            return ()
        return tuple(
            (float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in _BOX.findall(compact)
        )

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Fractions of the page; corners are sorted, boxes without area are left out."""
        boxes = []
        for x0, y0, x1, y1 in self.coordinates:
            left, right = sorted((_fraction(x0), _fraction(x1)))
            top, bottom = sorted((_fraction(y0), _fraction(y1)))
            if left < right and top < bottom:
                boxes.append(Box(left, top, right, bottom))
        return tuple(boxes)


class Scanner:
    """Finds references in text that arrives in pieces, each with the text before it.

    Finds the same as the authors' pattern (`<ref>(.*?)</ref><det>(.*?)</det>`, dots matching
    newlines) and flat references between these, but scans every character once.
    """

    def __init__(self) -> None:
        self._buffer = ""
        self._offset = 0  # of the buffer in the whole text
        self._marks: list[int] = []
        self._next = 0

    def feed(self, text: str) -> list[tuple[str, Reference]]:
        self._buffer += text
        buffer, found, done = self._buffer, [], 0
        while True:
            if not self._marks:
                flat = self._next_opening()
                if flat is not None:
                    found.append((buffer[done : flat.start - self._offset], flat))
                    done = self._next
                    continue
                if not self._marks:
                    break
            tag = (MIDDLE, END)[len(self._marks) - 1]
            at = buffer.find(tag, self._next)
            if at < 0:
                self._next = max(self._next, len(buffer) - len(tag) + 1)
                break
            self._marks.append(at)
            self._next = at + len(tag)
            if tag == END:
                ref, middle, end = self._marks
                reference = Reference(
                    label=buffer[ref + len(REF) : middle],
                    boxes_text=buffer[middle + len(MIDDLE) : end],
                    start=self._offset + ref,
                    end=self._offset + self._next,
                )
                found.append((buffer[done:ref], reference))
                done, self._marks = self._next, []
        self._buffer = buffer[done:]
        self._offset += done
        self._next -= done
        self._marks = [mark - done for mark in self._marks]
        return found

    def _next_opening(self) -> Reference | None:
        """Goes on to the next flat reference and returns it, or to the next ref, whose place
        becomes the first mark. Without either it waits for more text."""
        buffer = self._buffer
        while opening := _OPENING.search(buffer, self._next):
            at = opening.start()
            if opening[0] == REF:
                self._marks.append(at)
                self._next = opening.end()
                return None
            flat = _FLAT.match(buffer, at, at + MAX_FLAT)
            if flat is not None:
                self._next = flat.end()
                boxes = flat[2] if flat[2].startswith("[[") else f"[{flat[2]}]"
                start, end = self._offset + at, self._offset + flat.end()
                return Reference(flat[1], boxes, start, end, flat=True)
            if buffer.find(END, at, at + MAX_FLAT) < 0 and len(buffer) < at + MAX_FLAT:
                self._next = at  # its end may follow
                return None
            self._next = opening.end()
        self._next = max(self._next, len(buffer) - len(REF) + 1)
        return None

    def rest(self) -> str:
        """The text after the last reference."""
        return self._buffer


def _fraction(coordinate: float) -> float:
    return min(1.0, max(0.0, coordinate / SCALE))
