"""Lines of Arabic and Hebrew, set here letter by letter from the right edge to the left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsocr.pages.pdf.right_to_left import Letter, reading_order_text

HEIGHT = 20.0


def drawn(*parts: str) -> list[Letter]:
    """Letters as they stand, each part to the left of the one before; a blank leaves room."""
    letters: list[Letter] = []
    x = 1000.0
    for part in parts:
        if part == " ":
            x -= 6
            letters.append(Letter(" "))
            continue
        wide = 8.0 * len(part)
        letters += [Letter(c, x - wide + 8 * i, x - wide + 8 * i + 8) for i, c in enumerate(part)]
        x -= wide
    return letters


ARABIC = ("ع", "ا", "م", " ", "2023", " ", "م", "ض", "ى", ".")


@pytest.mark.parametrize("way", [1, -1])
def test_a_line_reads_the_same_whether_its_file_keeps_it_reading_order_text_or_as_drawn(
    way: int,
) -> None:
    assert reading_order_text(drawn(*ARABIC)[::way], HEIGHT) == "عام 2023 مضى."


def test_latin_words_keep_their_direction() -> None:
    letters = drawn("ש", "ל", " ", "Source", " ", "ה")
    latin = [Letter(" "), *drawn("Open")]
    moved = [replace(o, left=o.left - 150, right=o.right - 150) for o in latin]

    assert reading_order_text([*letters[:3], *letters[3:9], *moved], HEIGHT) == "של Open Source"


def test_numbers_keep_the_order_of_digits_and_separators() -> None:
    assert reading_order_text(drawn("ב", " ", "4,250"), HEIGHT) == "ב 4,250"
    assert reading_order_text(drawn("ב", " ", "2020-2021"), HEIGHT) == "ב 2020-2021"


@pytest.mark.parametrize("brackets", ["()", ")("])
def test_brackets_open_towards_their_text(brackets: str) -> None:
    """Files name them by their shape or by their meaning."""
    assert reading_order_text(drawn(brackets[0], "ש", "ל", brackets[1]), HEIGHT) == "(של)"


def test_a_vowel_mark_stays_with_its_letter() -> None:
    shin, lamed = drawn("ש", "ל")
    mark = Letter("\u05b8", shin.left + 3, shin.left + 5)

    assert reading_order_text([mark, shin, lamed], HEIGHT) == "ש\u05b8ל"


def test_a_wide_gap_becomes_a_space() -> None:
    first, second = drawn("א"), [Letter("ב", 970, 980)]

    assert reading_order_text([*first, *second], HEIGHT) == "א ב"
