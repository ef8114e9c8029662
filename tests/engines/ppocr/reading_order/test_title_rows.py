"""Titles whose words were detected as several lines, by boxes made here."""

from __future__ import annotations

from dsocr.engines.ppocr.geometry import Characters, Line, Rect
from dsocr.engines.ppocr.reading_order.title_rows import with_whole_titles

BODY = 20.0


def part(text: str, x: float, y: float = 0, height: float = 40) -> Line:
    chances = (0.9,) * len(text)
    rect = Rect(x, y, x + 20 * len(text), y + height)
    return Line(text, rect, 0.9, characters=Characters(text, chances, chances))


def titles(*lines: Line) -> list[str]:
    return [line.text for line in with_whole_titles(lines, BODY)]


def test_the_words_of_a_title_are_one_line_with_the_characters_of_all() -> None:
    lines = [part("laverie", 384), part("Tarifs", 0), part("de la", 132)]

    joined = with_whole_titles([*lines[1:], part("laverie", 244)], BODY)

    assert [line.text for line in joined] == ["Tarifs de la laverie"]
    assert joined[0].rect == Rect(0, 0, 384, 40)
    assert joined[0].characters is not None
    assert joined[0].characters.text == "Tarifs de la laverie"
    assert len(joined[0].characters.chances) == len("Tarifs de la laverie")
    assert titles(*lines) == ["laverie", "Tarifs de la"]


def test_headlines_further_apart_or_of_several_rows_are_two() -> None:
    assert titles(part("Harbour", 0), part("Council", 160)) == ["Harbour", "Council"]
    rows = [part("Harbour", 0), part("closed", 0, 50), part("Council", 150), part("met", 150, 50)]
    assert titles(*rows) == ["Harbour", "closed", "Council", "met"]


def test_words_as_large_as_the_text_stay_apart() -> None:
    small = [part("Name", 0, height=22), part("Place", 85, height=22)]

    assert titles(*small) == ["Name", "Place"]
