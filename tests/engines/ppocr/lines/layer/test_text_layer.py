from __future__ import annotations

import numpy as np
import pytest

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.layer import text_layer


def lines(*texts: str) -> list[Line]:
    return [Line(text, Rect(10, 30 * n, 300, 30 * n + 20), 1.0) for n, text in enumerate(texts)]


WORDS = ("An ordinary first line", "and a second of them", "and one more to end it")


def test_fractions_become_pixels_within_the_page() -> None:
    (line,) = text_layer.lines_in_pixels(
        [("word", -0.1, 0.5, 0.25, 0.75, ())], width=400, height=200
    )

    assert line.rect == Rect(0, 100, 100, 150)


@pytest.mark.parametrize(
    "text_line",
    [("", 0, 0, 1, 1, ()), (" \u200b\n", 0, 0, 1, 1, ()), ("off the page", 1.2, 0, 1.5, 1, ())],
)
def test_invisible_lines_are_left_out(
    text_line: text_layer.LayerLine,
) -> None:
    assert text_layer.lines_in_pixels([text_line], width=100, height=100) == []


def test_a_line_printed_twice_for_boldness_counts_once() -> None:
    twice = [("Heading", 0.1, 0.1, 0.5, 0.2, ()), ("Heading", 0.101, 0.1, 0.501, 0.2, ())]

    assert len(text_layer.lines_in_pixels(twice, width=800, height=800)) == 1


def test_format_characters_are_dropped_and_joiners_stay() -> None:
    (line,) = text_layer.lines_in_pixels(
        [("\u202bمی\u200cخواهم\u202c", 0, 0, 1, 1, ())], width=9, height=9
    )

    assert line.text == "می\u200cخواهم"


@pytest.mark.parametrize("nonsense", ["\ufffd", "\ue012", "\x03"])
def test_nonsense_characters_are_no_text(nonsense: str) -> None:
    assert text_layer.is_text(lines(*WORDS))
    assert not text_layer.is_text(lines(f"a{nonsense}b{nonsense}c"))
    assert not text_layer.is_text([])


def test_a_layer_that_agrees_with_the_picture_is_believed() -> None:
    seen = lines("An ordinary first 1ine", "and a second of them", "and one more to end it")

    assert text_layer.agrees(lines(*WORDS), seen, legible=True, image_share=1.0)


def test_a_shifted_character_map_is_not_believed() -> None:
    shifted = ["".join(chr(ord(c) + 1) if c.isalpha() else c for c in text) for text in WORDS]

    assert not text_layer.agrees(lines(*shifted), lines(*WORDS), legible=True, image_share=0.0)


def test_an_unknown_script_is_taken_from_the_layer() -> None:
    arabic = lines("مرحبا بالعالم", "هذا نص عربي")
    holes = lines("", " ")

    assert text_layer.agrees(arabic, holes, legible=False, image_share=0.0)
    assert text_layer.agrees(arabic, holes, legible=False, image_share=1.0)


def test_a_latin_layer_over_an_illegible_scan_is_not_believed() -> None:
    assert not text_layer.agrees(lines(*WORDS), lines("", "", ""), legible=False, image_share=1.0)


def test_the_sample_is_spread_over_the_page() -> None:
    page = lines(*(f"a line of words {n}" for n in range(100)))

    chosen = text_layer.sample_lines(page)

    assert len(chosen) < 10
    assert chosen[0] is page[0] and chosen[-1] is page[-1]


def test_text_outside_the_layer_is_uncovered() -> None:
    inside = np.array([[10, 0], [300, 0], [300, 20], [10, 20]], np.float32)
    outside = inside + np.array([0, 500], np.float32)

    assert text_layer.uncovered([inside, outside], lines(*WORDS)) == [outside]
    assert text_layer.uncovered([inside], []) == [inside]


def test_a_logo_that_looks_like_a_letter_is_not_added() -> None:
    word, letter, guess = lines("Figure 2", "浆", "unsure")
    unsure = Line("unsure", guess.rect, 0.6)

    assert text_layer.missing_lines([word, letter, unsure], []) == [word]


def test_lines_recognized_beside_the_layer_get_boxes_as_tight() -> None:
    quad = np.array([[10, 0], [300, 0], [300, 30], [10, 30]], np.float32)
    loose = Line("a line", Rect(10, 100, 300, 130), 1.0)

    (tight,) = text_layer.match_heights(lines(*WORDS), [loose], [quad] * 3)

    assert (tight.rect.y0, tight.rect.y1) == pytest.approx((105, 125))


def test_words_that_the_layer_has_are_not_added_again() -> None:
    (again,) = lines("76")
    small = Line("76", again.rect, 1.0)

    assert text_layer.missing_lines([again], [small]) == []


def test_words_of_the_layer_in_another_spelling_are_not_added() -> None:
    (again,) = lines("增减")
    own = Line("増減", again.rect, 1.0)

    assert text_layer.missing_lines([again], [own]) == []


def test_a_dash_boxed_by_its_ink_stands_in_the_row_of_its_numbers() -> None:
    layer = [("12,500", 0.1, 0.100, 0.2, 0.120, ()), ("–", 0.3, 0.109, 0.31, 0.111, ())]

    number, dash = text_layer.lines_in_pixels(
        [*layer, ("7", 0.1, 0.2, 0.2, 0.22, ())], width=500, height=1000
    )[:2]

    assert dash.rect.height == pytest.approx(number.rect.height)
    assert (dash.rect.y0 + dash.rect.y1) / 2 == pytest.approx(110)
