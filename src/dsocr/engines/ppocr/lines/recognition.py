"""Recognizes all lines of a page from its picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.lines.gutters import separate_overlapping, split_at_gutters
from dsocr.engines.ppocr.lines.orientation import MIN_CHARACTERS, OrientationSearch
from dsocr.engines.ppocr.lines.quality import (
    expected_characters,
    is_certain,
    legibility,
    quality_flags,
)
from dsocr.engines.ppocr.lines.signs import with_signs
from dsocr.engines.ppocr.networks.ocr import Detail, Ocr
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.view import View, straighten

DETAILS = {
    "tiny": Detail(960, squeeze=0.75),
    "small": Detail(1120, squeeze=0.85),
    "base": Detail(1280),
    "large": Detail(1600),
    "gundam": Detail(1920),
}
"""The resolution of each mode."""

_SMALLER_SIDES = (960, 736)
"""Detection at a high resolution misses a short line on a wide page; these find it."""
_MIN_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class PageLines:
    """A page's lines in pixels of its view, and the page's flags."""

    view: View
    lines: list[Line]
    flags: list[str]


class LineRecognizer:
    """Detection, orientation and recognition for one page at a time."""

    def __init__(self, ocr: Ocr, orientation: OrientationSearch) -> None:
        self._ocr = ocr
        self._orientation = orientation

    def recognize(self, image: Pixels, detail: Detail, poll: Callable[[], None]) -> PageLines:
        """All lines; where there is hardly any text, the best of several resolutions."""
        best = self._recognize_at(image, detail, poll)
        for side in _SMALLER_SIDES:
            if side >= detail.longest_side or expected_characters(best.lines) >= MIN_CHARACTERS:
                continue
            smaller = replace(detail, longest_side=side)
            page = self._recognize_at(image, smaller, poll, only_certain=True)
            if expected_characters(page.lines) > expected_characters(best.lines):
                best = page
        return best

    def _recognize_at(
        self,
        image: Pixels,
        detail: Detail,
        poll: Callable[[], None],
        *,
        only_certain: bool = False,
    ) -> PageLines:
        """The page made upright, its lines detected and recognized at one resolution."""
        view, quads, orientation = self._orientation.upright(image, detail, poll)
        view, quads = straighten(view, quads)
        quads = separate_overlapping(view.image, split_at_gutters(view.image, quads))
        lines = self._ocr.recognize(view.image, quads, poll=poll, squeeze=detail.squeeze)
        if only_certain:
            certain = [pair for pair in zip(lines, quads, strict=True) if is_certain(pair[0])]
            lines, quads = [line for line, _ in certain], [quad for _, quad in certain]
        text = _with_text(lines)
        flags = quality_flags(text, legibility(lines, quads), num_detected=len(quads))
        rotated = [f"turned_{orientation}"] if orientation else []
        return PageLines(view, text, [*rotated, *flags])


def _with_text(lines: Sequence[Line]) -> list[Line]:
    certain = [line for line in lines if line.score >= _MIN_SCORE and line.text.strip()]
    return with_signs(certain)
