"""Recognizes lines that stand in another direction than the page: upside down, or sideways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from rapidfuzz import fuzz

from dsocr.engines.ppocr.geometry import Line, Turn
from dsocr.engines.ppocr.lines.vertical_text import as_level_line, joined
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.quads import Pixels, Quad, crop, size_of
from dsocr.engines.ppocr.reading_order.text_joins import is_cjk

_TALL = 1.5  # height over width from which a line runs down or up
_LONG = 2.5  # width over height of a line that is tried upside down
_POOR = 0.8
_DOUBTFUL = 0.95
"""A line upside down may seem nearly legible; beside others that are, it is tried as well."""
_GOOD = 0.85
_MIN_GAIN = 0.12
_SAMPLE = 6
_MIN_CHARACTERS = 2
_SAME = 50.0  # per cent: a column set as a level line says about the same


class TurnedLines:
    """Tries lines in other directions where their first reading gives cause."""

    def __init__(self, ocr: Ocr, poll: Callable[[], None]) -> None:
        self._ocr = ocr
        self._poll = poll

    def resolve(self, image: Pixels, quads: Sequence[Quad], lines: Sequence[Line]) -> list[Line]:
        """The lines, one a quad, each in the direction in which it reads best."""
        resolved = list(lines)
        tall = [i for i, quad in enumerate(quads) if _is_tall(quad) and _has_text(lines[i])]
        for index in tall:
            resolved[index] = replace(lines[index], turn=90)
        columns = [i for i in tall if _is_cjk_line(lines[i])]
        self._set_level(image, quads, resolved, columns)
        sideways = [i for i in tall if i not in columns or lines[i].score < _POOR]
        self._try(image, quads, resolved, sideways, turn=270)
        doubtful = [i for i, quad in enumerate(quads) if _may_be_upside_down(quad, lines[i])]
        doubtful.sort(key=lambda index: -size_of(quads[index])[0])
        sample = [i for i in doubtful if lines[i].score < _POOR][:_SAMPLE]
        if self._try(image, quads, resolved, sample, turn=180):
            others = [i for i in doubtful if i not in sample]
            self._try(image, quads, resolved, others, turn=180)
        return resolved

    def _try(
        self,
        image: Pixels,
        quads: Sequence[Quad],
        lines: list[Line],
        indices: Sequence[int],
        *,
        turn: Turn,
    ) -> bool:
        """Replaces lines that read clearly better in that direction; whether there are any."""
        turned = [_turned(quads[index], turn) for index in indices]
        seen = self._ocr.recognize(image, turned, poll=self._poll)
        found = False
        for index, line in zip(indices, seen, strict=True):
            if _has_text(line) and _is_better(line, lines[index]):
                lines[index] = replace(line, turn=turn, rise=0.0)
                found = True
        return found

    def _set_level(
        self, image: Pixels, quads: Sequence[Quad], lines: list[Line], indices: Sequence[int]
    ) -> None:
        for index in indices:
            level = as_level_line(np.rot90(crop(image, quads[index]), -1))
            if level is None:
                continue
            height, width = level.shape[:2]
            quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
            line = self._ocr.recognize(level, [quad], poll=self._poll)[0]
            if _says_more(line, lines[index]):
                text = joined(line.text.strip(), lines[index].text.strip())
                lines[index] = replace(lines[index].with_text(text), score=line.score)


def _turned(quad: Quad, turn: Turn) -> Quad:
    """The quad's corners from where the text begins, if it lies rotated by so much."""
    return np.roll(quad, {90: -1, 180: -2, 270: -3, 0: 0}[turn], axis=0)


def _is_tall(quad: Quad) -> bool:
    width, height = size_of(quad)
    return height >= _TALL * width


def _has_text(line: Line) -> bool:
    return sum(char.isalnum() for char in line.text) >= _MIN_CHARACTERS


def _is_cjk_line(line: Line) -> bool:
    return 2 * sum(map(is_cjk, line.text)) > len(line.text.replace(" ", ""))


def _may_be_upside_down(quad: Quad, line: Line) -> bool:
    width, height = size_of(quad)
    return width >= _LONG * height and line.score < _DOUBTFUL


def _is_better(line: Line, other: Line) -> bool:
    if _is_cjk_line(other) and not _is_cjk_line(line):
        return line.score > max(_GOOD, other.score + _MIN_GAIN)
    gain = line.score - other.score
    return line.score >= _GOOD and (gain > _MIN_GAIN or (other.turn == 90 and gain > 0))


def _says_more(line: Line, other: Line) -> bool:
    return (
        line.score >= _GOOD
        and len(line.text.strip()) >= len(other.text.strip())
        and fuzz.ratio(line.text, other.text) > _SAME
    )
