"""Filled discs and squares before the lines of a list become bullets."""

from __future__ import annotations

import random

import pytest
from PIL import Image

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.bullets import with_bullets
from tests.engines.ppocr.business import Sheet

ITEMS = ("Lock the shed", "Switch off the lamp", "Take the key along")


def sheet_with_marks(*, shape: str = "disc", left: float = 70.0, colour: str = "black") -> Sheet:
    sheet = Sheet()
    sheet.write(100, 60, "Before you go home")
    for number, item in enumerate(ITEMS):
        y = 120 + 40 * number
        sheet.write(100, y, item)
        box = (left, y + 9, left + 9, y + 18)
        (sheet.pen.ellipse if shape == "disc" else sheet.pen.rectangle)(box, fill=colour)
    return sheet


def texts_of(sheet: Sheet, lines: list[Line] | None = None) -> list[str]:
    return [line.text for line in with_bullets(sheet.pixels, lines or sheet.lines)]


@pytest.mark.parametrize("colour", ["black", "orange"])
@pytest.mark.parametrize("shape", ["disc", "square"])
def test_marks_left_of_lines_become_bullets(shape: str, colour: str) -> None:
    texts = texts_of(sheet_with_marks(shape=shape, colour=colour))

    assert texts == ["Before you go home", *(f"\u2022 {item}" for item in ITEMS)]


@pytest.mark.parametrize("misread", ["\u00b7 ", ". ", "o ", "\u2022", "- "])
def test_a_mark_in_the_box_of_its_line_replaces_what_it_was_taken_for(misread: str) -> None:
    sheet = sheet_with_marks()
    heading, *items = sheet.lines
    wide = [
        Line(misread + line.text, Rect(66, line.rect.y0, line.rect.x1, line.rect.y1), 0.9)
        for line in items
    ]

    assert texts_of(sheet, [heading, *wide])[1:] == [f"\u2022 {item}" for item in ITEMS]


def test_a_mark_that_was_recognized_as_a_line_of_its_own_is_dropped() -> None:
    sheet = sheet_with_marks()
    alone = Line("o", Rect(66, 120, 82, 146), 0.8)

    assert texts_of(sheet, [alone, *sheet.lines]) == texts_of(sheet)


def test_full_stops_and_a_single_dot_are_no_bullets() -> None:
    sheet = Sheet()
    for number, item in enumerate(ITEMS):
        sheet.write(100, 120 + 40 * number, item)
        sheet.pen.ellipse((88, 137 + 40 * number, 92, 141 + 40 * number), fill="black")
    sheet.pen.ellipse((70, 129, 79, 138), fill="black")

    assert texts_of(sheet) == list(ITEMS)


def test_specks_of_a_scan_are_no_bullets() -> None:
    sheet = Sheet()
    dice = random.Random(3)
    for number in range(30):
        sheet.write(100, 60 + 40 * number, ITEMS[number % 3])
    for _ in range(400):
        x, y = dice.randrange(20, 1150), dice.randrange(20, 1650)
        sheet.pen.ellipse((x, y, x + 5, y + 5), fill="black")

    assert texts_of(sheet) == [line.text for line in sheet.lines]


def test_a_dark_page_has_its_bullets() -> None:
    sheet = sheet_with_marks()
    dark = Sheet(image=Image.eval(sheet.image, lambda value: 255 - value), lines=sheet.lines)

    assert texts_of(dark) == texts_of(sheet)
