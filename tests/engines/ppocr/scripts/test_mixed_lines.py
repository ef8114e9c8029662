"""Lines with numbers in another script: which are tried again, and where their full stops stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import pytest

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.quads import Pixels, Quad
from dsocr.engines.ppocr.scripts.mixed_words import with_latin_words
from dsocr.engines.ppocr.scripts.page_scripts import unread_lines
from dsocr.engines.ppocr.scripts.tesseract import Reading, Token

HEBREW = "\u05e8\u05d7\u05d5\u05d1"
RECORDED = [("03- 19707 077 1 .0 ", 0.73), ("n  70 .12.5.2024 n 20417  ", 0.89)]
"""What PP-OCR reads of lines in Hebrew with numbers."""


def line(text: str, score: float) -> Line:
    return Line(text, Rect(0, 0, 12 * len(text), 24), score)


def quad(text: str) -> Quad:
    x1 = 12 * len(text)
    return np.array([[0, 0], [x1, 0], [x1, 24], [0, 24]], np.float32)


def unread(*lines: Line) -> list[int]:
    return unread_lines([quad(line.text) for line in lines], lines)


def test_lines_read_in_their_numbers_only_are_tried_in_other_languages() -> None:
    assert unread(*(line(*read) for read in RECORDED)) == [0, 1]


def test_on_a_page_that_is_read_well_they_are_not() -> None:
    sure = [line("a clean line of words", 0.99)] * 3

    assert unread(*sure, line(*RECORDED[1])) == []


class _Recorded:
    """Recognition that answers what was recorded."""

    def __init__(self, text: str) -> None:
        self._text = text

    def recognize(
        self, image: Pixels, quads: Sequence[Quad], *, poll: Callable[[], None]
    ) -> list[Line]:
        return [Line(self._text, Rect(0, 0, 40, 20), 0.97) for _ in quads]


@pytest.mark.parametrize(
    "seen, text", [(".45", "45."), (".12.5.2024", "12.5.2024."), ("10:30", "10:30")]
)
@pytest.mark.parametrize("words, right_to_left", [(HEBREW, True), ("\u0e27\u0e31\u0e19", False)])
def test_a_full_stop_left_of_a_number_ends_it_in_hebrew_only(
    words: str, right_to_left: bool, seen: str, text: str
) -> None:
    tokens = (Token(words, Rect(60, 0, 120, 20), 0.9), Token("4", Rect(0, 0, 40, 20), 0.4))
    reading = Reading(f"{words} 4", 0.8, tokens)
    picture = np.full((20, 130, 3), 255, np.uint8)

    mixed = with_latin_words(picture, reading, cast(Ocr, _Recorded(seen)), lambda: None)

    assert mixed.text == f"{words} {text if right_to_left else seen}"
