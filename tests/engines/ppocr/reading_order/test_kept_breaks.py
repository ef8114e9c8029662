from __future__ import annotations

import pytest

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.kept_breaks import keeps_breaks
from dsocr.engines.ppocr.reading_order.paragraphs import split_paragraphs


def rows(*texts: str) -> list[Line]:
    return [
        Line(text, Rect(50, 40 * place, 50 + 12 * len(text), 40 * place + 24), 0.9)
        for place, text in enumerate(texts)
    ]


VERSE = rows(
    "I had a boat of willow wood",
    "and sails of morning grey;",
    "she took me where no river should",
    "and brought me back one day.",
)
PROSE = rows(
    "The bell hung at the pier. It was",
    "rung an hour before they left, so",
    "that nobody could say he had not",
    "known. Anna Fairley kept the rope.",
    "Once it broke. Then the boat was",
    "late and the bread was stale.",
)


def test_verse_keeps_its_lines() -> None:
    (stanza,) = split_paragraphs(VERSE)
    assert not stanza.flowing


@pytest.mark.parametrize("end", ["", "."])
def test_directions_keep_their_lines(end: str) -> None:
    directions = [
        "Switch the pump off",
        "Wait until it is cold",
        "Open the lid",
        "Rinse the filter",
    ]
    assert keeps_breaks(rows(*(text + end for text in directions)))


def test_prose_flows() -> None:
    assert not keeps_breaks(PROSE)
    assert all(part.flowing for part in split_paragraphs(PROSE))


def test_two_rows_are_too_few_to_tell() -> None:
    assert not keeps_breaks(rows("Six loaves of bread", "Twelve eggs"))


def test_two_rows_of_four_that_happen_to_be_equally_long_make_no_paragraph() -> None:
    texts = ("Unscrew the lid", "Pour in water", "Press the green key", "Wait for the light")
    rows = [
        Line(text, Rect(0, 30 * number, x1, 30 * number + 20), 1.0)
        for number, (text, x1) in enumerate(zip(texts, (240, 210, 262, 258), strict=True))
    ]
    assert keeps_breaks(rows)


@pytest.mark.parametrize("colon", ["\uff1a", ":"])
def test_rows_of_several_chinese_keys_keep_their_breaks(colon: str) -> None:
    texts = (
        "\u5355\u53f7:XS-20260318-0047 \u65e5\u671f:2026\u5e743\u670818\u65e5",
        "\u5ba2\u6237:\u676d\u5dde\u6668\u5149\u6587\u5177 \u7535\u8bdd:0571-88234167",
    )
    (paragraph,) = split_paragraphs(rows(*(text.replace(":", colon) for text in texts)))
    assert not paragraph.flowing
