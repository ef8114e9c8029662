from __future__ import annotations

import numpy as np
import pytest

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.quality import (
    LEGIBLE,
    confidence,
    density,
    flags,
    is_sure,
    legibility,
)
from dsocr.engines.ppocr.networks.ocr import Quad, Reading


def quad(width: float, height: float = 20) -> Quad:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def reading(text: str, score: float) -> Reading:
    return Reading(Line(text, Rect(0, 0, 1, 1), score), ())


def test_confidence_weighs_lines_by_their_characters() -> None:
    lines = [reading("abcdefghi", 1.0).line, reading("x", 0.0).line]

    assert confidence(lines) == pytest.approx(0.9)
    assert confidence([]) is None


def test_latin_print_is_denser_than_a_script_read_with_holes() -> None:
    assert density("The quick brown fox", quad(180)) > 1.5
    assert density("     a     2 ", quad(300)) < 0.2
    assert density("ab", quad(20, 200)) == density("ab", quad(200, 20))


def test_a_page_full_of_holes_is_an_unknown_script_however_sure_its_letters() -> None:
    readings = [reading("   2024 ", 0.9)] * 5
    quads = [quad(500)] * 5

    marks = flags([one.line for one in readings], legibility(readings, quads), seen=5)

    assert marks == ["unsupported_script", "low_confidence"]


def test_a_poor_scan_is_of_low_confidence_only() -> None:
    readings = [reading("a hardly readable line of words", 0.78)] * 5

    marks = flags([one.line for one in readings], legibility(readings, [quad(300)] * 5), seen=5)

    assert marks == ["low_confidence"]


def test_a_good_page_and_an_empty_one_have_no_flags() -> None:
    good = [reading("a clean line of words", 0.99)]

    assert flags([one.line for one in good], legibility(good, [quad(200)]), seen=1) == []
    assert flags([], legibility([], []), seen=0) == []


def test_lines_of_which_none_can_be_read_are_a_script_and_a_speck_is_not() -> None:
    assert flags([], 0.0, seen=9) == ["unsupported_script"]
    assert flags([], 0.0, seen=1) == []


def test_letters_that_are_mostly_greek_are_not_believed() -> None:
    greek = [reading("\u03b7 \u03b1\u03c6 \u03b1\u03bb \u03b7 \u03bd\u03c9 a", 0.9)]

    marks = flags([greek[0].line], 0.8, seen=1)

    assert marks == ["unsupported_script", "low_confidence"]


def test_a_script_taken_for_latin_without_its_cases_is_not_legible() -> None:
    hebrew = [reading("Ca at uIN arILu xN cl uIx ulCa quulL xu vaGua cuIl aCiAa", 0.7)] * 3
    poor = [reading("hardly readable words that Mrs McIntyre wrote about her house", 0.7)] * 3

    assert legibility(hebrew, [quad(400)] * 3) < LEGIBLE
    assert legibility(poor, [quad(400)] * 3) > LEGIBLE


@pytest.mark.parametrize(
    ("text", "score", "sure"),
    [("Yes", 0.98, True), ("第三章", 0.95, True), ("31", 0.92, True), ("Yes", 0.8, False)]
    + [(boxes, 0.99, False) for boxes in ("□ □ □", "口口", "日", "---", "● .")],
)
def test_a_form_s_boxes_and_rules_are_never_surely_words(
    text: str, score: float, sure: bool
) -> None:
    assert is_sure(reading(text, score).line) == sure
