"""Recognizes all lines of a page from its picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.lines.bullets import with_bullets
from dsocr.engines.ppocr.lines.check_boxes import CheckBox, find_check_boxes
from dsocr.engines.ppocr.lines.curvature import MIN_CURVES, bend_of, unbent
from dsocr.engines.ppocr.lines.gutters import separate_overlapping, split_at_gutters
from dsocr.engines.ppocr.lines.inverse_words import with_dark_words
from dsocr.engines.ppocr.lines.layer.box_labels import split_at_boxes, with_box_marks, without_boxes
from dsocr.engines.ppocr.lines.lone_signs import lone_signs, with_bars
from dsocr.engines.ppocr.lines.orientation import MIN_CHARACTERS, OrientationSearch
from dsocr.engines.ppocr.lines.overlaid_text import OverlaidText
from dsocr.engines.ppocr.lines.powers import with_powers
from dsocr.engines.ppocr.lines.quality import (
    expected_characters,
    is_certain,
    legibility,
    quality_flags,
)
from dsocr.engines.ppocr.lines.signs import with_signs
from dsocr.engines.ppocr.lines.sparse_pages import with_small_text
from dsocr.engines.ppocr.lines.turned_lines import TurnedLines
from dsocr.engines.ppocr.networks.ocr import Detail, Ocr
from dsocr.engines.ppocr.networks.quads import LETTERS, Pixels, Quad, size_of
from dsocr.engines.ppocr.reading_order.text_joins import is_cjk
from dsocr.engines.ppocr.scripts.page_scripts import PageScripts
from dsocr.engines.ppocr.scripts.tesseract import Tesseract
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
_LETTERS_OF_TEXT = 30  # percentile of the heights of boxes
_MIN_SCORE = 0.5
_MIN_IDEOGRAPHS = 10  # on a page; fewer may be misread


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
        self._tesseract = Tesseract()

    def recognize(
        self,
        image: Pixels,
        detail: Detail,
        poll: Callable[[], None],
        *,
        languages: Sequence[str] = (),
    ) -> PageLines:
        """All lines; where there is hardly any text, the best of several resolutions.

        `languages` are the codes that the request names.
        """
        best = self._recognize_at(image, detail, poll, languages)
        for side in _SMALLER_SIDES:
            if side >= detail.longest_side or expected_characters(best.lines) >= MIN_CHARACTERS:
                continue
            smaller = replace(detail, longest_side=side)
            page = self._recognize_at(image, smaller, poll, languages, only_certain=True)
            if expected_characters(page.lines) > expected_characters(best.lines):
                best = page
        return best

    def _recognize_at(
        self,
        image: Pixels,
        detail: Detail,
        poll: Callable[[], None],
        languages: Sequence[str],
        *,
        only_certain: bool = False,
    ) -> PageLines:
        """The page made upright, its lines detected and recognized at one resolution."""
        scripts = PageScripts(self._ocr, self._tesseract, languages, poll)
        view, quads, orientation = self._orientation.upright(
            image, detail, poll, is_read=scripts.is_read
        )
        quads = with_small_text(view.image, quads, longest_side=detail.longest_side, ocr=self._ocr)
        view, quads = self._straightened(view, quads, detail)
        quads = separate_overlapping(view.image, split_at_gutters(view.image, quads))
        boxes = _check_boxes(view.image, quads)
        quads = split_at_boxes(quads, boxes) if boxes else quads
        clean = without_boxes(view.image, boxes) if boxes else view.image
        clean, quads = with_dark_words(clean, quads)
        lines = self._ocr.recognize(clean, quads, poll=poll, squeeze=detail.squeeze)
        lines = scripts.resolve(clean, quads, lines)
        lines = TurnedLines(self._ocr, poll).resolve(clean, quads, lines)
        if only_certain:
            certain = [pair for pair in zip(lines, quads, strict=True) if is_certain(pair[0])]
            lines, quads = [line for line, _ in certain], [quad for _, quad in certain]
        text = with_powers(clean, with_bars(clean, _with_text(lines)))
        if not only_certain:
            text = self._with_lone_signs(clean, quads, boxes, text, poll)
        flags = quality_flags(text, legibility(lines, quads), detected=quads)
        image, text = OverlaidText(self._ocr, detail, poll).recover(view.image, text)
        rotated = [f"turned_{orientation}"] if orientation else []
        text = with_bullets(clean, with_box_marks(text, boxes))
        return PageLines(replace(view, image=image), text, [*rotated, *flags])

    def _with_lone_signs(
        self,
        image: Pixels,
        quads: Sequence[Quad],
        boxes: Sequence[CheckBox],
        lines: Sequence[Line],
        poll: Callable[[], None],
    ) -> list[Line]:
        signs = lone_signs(
            image,
            quads,
            [box.rect for box in boxes],
            has_ideographs=_num_ideographs(lines) >= _MIN_IDEOGRAPHS,
            ocr=self._ocr,
            poll=poll,
        )
        return _merged(lines, signs)

    def _straightened(
        self, view: View, quads: Sequence[Quad], detail: Detail
    ) -> tuple[View, list[Quad]]:
        """The view with curved and sloping lines made straight and level, and the quads on it."""
        if len(self._ocr.curves) < MIN_CURVES:
            return straighten(view, quads)
        detected = self._ocr.detect(view.image, longest_side=detail.longest_side)
        bend = bend_of(self._ocr.curves, detected, view.image.shape)
        if bend is None:
            return straighten(view, quads)
        view = unbent(view, bend)
        return view, self._ocr.detect(view.image, longest_side=detail.longest_side)


def _check_boxes(image: Pixels, quads: Sequence[Quad]) -> list[CheckBox]:
    heights = [size[1] for size in map(size_of, quads) if size[0] > size[1]]
    # Boxes of short text are often taller than their letters.
    height = LETTERS * float(np.percentile(heights, _LETTERS_OF_TEXT)) if heights else 0.0
    return find_check_boxes(image, height) if heights else []


def _with_text(lines: Sequence[Line]) -> list[Line]:
    certain = [line for line in lines if line.score >= _MIN_SCORE and line.text.strip()]
    return with_signs(certain)


def _num_ideographs(lines: Sequence[Line]) -> int:
    return sum(is_cjk(letter) for line in lines for letter in line.text)


def _merged(lines: Sequence[Line], signs: Sequence[Line]) -> list[Line]:
    """The lines in their order, each sign before the first line that begins below it."""
    merged = list(lines)
    for sign in signs:
        below = (i for i, line in enumerate(merged) if line.rect.y0 > sign.rect.y0)
        merged.insert(next(below, len(merged)), sign)
    return merged
