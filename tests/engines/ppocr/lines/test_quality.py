from __future__ import annotations

import numpy as np
import pytest

from dsocr.engines.ppocr.geometry import Line, Rect, mean_score
from dsocr.engines.ppocr.lines.quality import (
    LEGIBLE,
    density,
    is_certain,
    legibility,
    quality_flags,
)
from dsocr.engines.ppocr.networks.quads import Quad


def quad(width: float, height: float = 20) -> Quad:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def line(text: str, score: float) -> Line:
    return Line(text, Rect(0, 0, 1, 1), score)


def test_the_mean_score_weighs_lines_by_their_characters() -> None:
    lines = [line("abcdefghi", 1.0), line("x", 0.0)]

    assert mean_score(lines) == pytest.approx(0.9)
    assert mean_score([]) is None


def test_latin_print_is_denser_than_an_unknown_script() -> None:
    assert density("The quick brown fox", quad(180)) > 1.5
    assert density("     a     2 ", quad(300)) < 0.2
    assert density("ab", quad(20, 200)) == density("ab", quad(200, 20))


def test_a_page_with_few_characters_is_an_unknown_script_at_any_score() -> None:
    lines = [line("   2024 ", 0.9)] * 5
    quads = [quad(500)] * 5

    flags = quality_flags(lines, legibility(lines, quads), detected=quads)

    assert flags == ["unsupported_script", "low_confidence"]


def test_a_poor_scan_is_of_low_confidence_only() -> None:
    lines = [line("a hardly readable line of words", 0.78)] * 5

    flags = quality_flags(lines, legibility(lines, [quad(300)] * 5), detected=[quad(300)] * 5)

    assert flags == ["low_confidence"]


def test_a_good_page_and_an_empty_one_have_no_flags() -> None:
    good = [line("a clean line of words", 0.99)]

    assert quality_flags(good, legibility(good, [quad(200)]), detected=[quad(200)]) == []
    assert quality_flags([], legibility([], []), detected=[]) == []


def test_lines_without_any_text_are_an_unknown_script_and_a_speck_is_not() -> None:
    assert quality_flags([], 0.0, detected=[quad(20)] * 9) == ["unsupported_script"]
    assert quality_flags([], 0.0, detected=[quad(20)]) == []
    assert quality_flags([], 0.0, detected=[quad(300, 4)]) == []


def test_one_long_line_without_any_text_is_an_unknown_script() -> None:
    assert quality_flags([], 0.0, detected=[quad(200)]) == ["unsupported_script"]


def test_mostly_greek_letters_are_an_unknown_script() -> None:
    greek = [line("\u03b7 \u03b1\u03c6 \u03b1\u03bb \u03b7 \u03bd\u03c9 a", 0.9)]

    flags = quality_flags(greek, 0.8, detected=[quad(200)])

    assert flags == ["unsupported_script", "low_confidence"]


def test_words_of_mixed_case_and_low_score_are_not_legible() -> None:
    hebrew = [line("Ca at uIN arILu xN cl uIx ulCa quulL xu vaGua cuIl aCiAa", 0.7)] * 3
    poor = [line("hardly readable words that Mrs McIntyre wrote about her house", 0.7)] * 3

    assert legibility(hebrew, [quad(400)] * 3) < LEGIBLE
    assert legibility(poor, [quad(400)] * 3) > LEGIBLE


@pytest.mark.parametrize(
    ("text", "score", "certain"),
    [("Yes", 0.98, True), ("第三章", 0.95, True), ("31", 0.92, True), ("Yes", 0.8, False)]
    + [(boxes, 0.99, False) for boxes in ("□ □ □", "口口", "日", "---", "● .")],
)
def test_a_form_s_boxes_and_rules_are_never_certain_words(
    text: str, score: float, certain: bool
) -> None:
    assert is_certain(line(text, score)) == certain
