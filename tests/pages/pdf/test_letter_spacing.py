"""Letter-spaced words of a PDF come without blanks between their letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.pages.sandbox import Sandbox
from tests.pages import made
from tests.pages.pdf.test_file import first_page

ROWS = [("Iced coffee", "3.40"), ("Espresso", "2.10"), ("Hot chocolate, small", "13.90")]


async def texts_of(content: str, folder: Path, sandbox: Sandbox) -> list[str]:
    page = await first_page(folder, made.pdf(content), sandbox)
    return [line.text for line in page.text_lines or ()]


def row(text: str, x: float, y: float, *, spacing: float) -> str:
    return f"{spacing} Tc " + made.words(text, x, y, size=12)


@pytest.mark.parametrize("spacing", [0.5, 1.6, 3.0, 4.5])
async def test_letter_spaced_list_has_whole_words_and_prices(
    spacing: float, tmp_path: Path, sandbox: Sandbox
) -> None:
    content = "".join(
        row(name, 60, 700 - 20 * i, spacing=spacing)
        + row(price, 480, 700 - 20 * i, spacing=spacing)
        for i, (name, price) in enumerate(ROWS)
    )
    texts = await texts_of(content, tmp_path, sandbox)

    assert texts == [text for pair in ROWS for text in pair]


@pytest.mark.parametrize(
    "typed, text", [("I N V O I C E", "INVOICE"), ("S t o c k   l i s t", "Stock list")]
)
async def test_blanks_typed_between_letters_are_no_blanks_of_the_text(
    typed: str, text: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    assert await texts_of(made.words(typed, 60, 700), tmp_path, sandbox) == [text]


@pytest.mark.parametrize("text", ["A B C D E F", "1 2 3 4 5 6", "x y z w", "I am a b", "5 of a 6"])
async def test_single_letters_and_digits_stay_apart(
    text: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    assert await texts_of(made.words(text, 60, 700), tmp_path, sandbox) == [text]


async def test_leaders_with_blanks_do_not_make_a_line_letter_spaced(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    entry = "Barley risotto" + " ." * 12
    assert await texts_of(made.words(entry, 60, 700, size=12), tmp_path, sandbox) == [entry]
