from __future__ import annotations

import pytest

from dsocr.engines.ppocr.geometry import Characters, Line, Rect
from dsocr.engines.ppocr.review.layer import compared
from dsocr.engines.ppocr.review.score import probability
from dsocr.engines.ppocr.review.words import WordSigns, is_odd, word_spans, words_of

SURE = WordSigns(0, 3, 0.99, 0.99, 0.99, odd=False)


def line(text: str, chances: list[float], **fields: object) -> Line:
    characters = Characters(text, tuple(chances), tuple(chances))
    return Line(text, Rect(0, 0, 200, 20), 0.95, characters=characters, **fields)  # type: ignore[arg-type]


def test_words_stand_between_blanks_and_each_ideograph_is_one() -> None:
    assert word_spans("Total  12,50 EUR") == [(0, 5), (7, 12), (13, 16)]
    assert word_spans("合计 12") == [(0, 1), (1, 2), (3, 5)]


def test_a_word_has_the_lowest_probability_of_its_own_characters() -> None:
    first, second = words_of(line("ab cd", [0.9, 0.5, 1.0, 0.99, 0.98]))

    assert (first.lowest, first.mean) == (0.5, pytest.approx(0.7))
    assert (second.start, second.end, second.lowest) == (3, 5, 0.98)


def test_a_mark_that_was_put_before_the_line_moves_its_words() -> None:
    box, word = words_of(line("ab", [0.9, 0.4]).with_text("[x] ab"))

    assert (box.start, box.end, word.start, word.end) == (0, 3, 4, 6)
    assert word.lowest == 0.4


def test_a_line_that_was_not_recognized_has_no_scores() -> None:
    assert words_of(Line("ab", Rect(0, 0, 9, 9), 1.0, from_layer=True)) == []


@pytest.mark.parametrize("word", ["lnvOice", "t0tal", "hou$e"])
def test_letters_of_several_kinds_in_one_word_are_odd(word: str) -> None:
    assert is_odd(word)


@pytest.mark.parametrize("word", ["Invoice", "A4711B", "12,50", "don't", "EUR", "x-ray"])
def test_ordinary_words_and_codes_are_not_odd(word: str) -> None:
    assert not is_odd(word)


@pytest.mark.parametrize("name", ["lowest", "mean", "gap"])
def test_a_less_certain_word_is_less_likely_right(name: str) -> None:
    doubtful = SURE._replace(**{name: 0.6})
    assert probability(doubtful, 0.97, agrees=None) < probability(SURE, 0.97, agrees=None)
    assert probability(SURE, 0.8, agrees=None) < probability(SURE, 0.97, agrees=None)


def test_a_second_look_that_agrees_makes_a_word_more_likely() -> None:
    doubtful = SURE._replace(lowest=0.6)
    assert probability(doubtful, 0.9, agrees=True) > probability(doubtful, 0.9, agrees=False)


def test_a_word_of_the_text_layer_that_the_picture_contradicts_is_unlikely() -> None:
    seen = line("Pay 500 EUR", [0.999] * 11)
    layer = Line("Pay 900 EUR", seen.rect, 1.0, from_layer=True, characters=seen.characters)

    pay, amount, currency = (score for _, _, score in compared(layer))

    assert pay == currency == 0.999
    assert amount < 0.2


def test_a_word_that_the_picture_shows_illegibly_stays_likely() -> None:
    seen = line("Pay S0o EUR", [0.999] * 4 + [0.2] * 3 + [0.999] * 4)
    layer = Line("Pay 900 EUR", seen.rect, 1.0, from_layer=True, characters=seen.characters)

    assert compared(layer)[1][2] > 0.5


def test_a_layer_that_was_not_compared_has_no_scores() -> None:
    assert compared(Line("Pay 900 EUR", Rect(0, 0, 9, 9), 1.0, from_layer=True)) == ()
