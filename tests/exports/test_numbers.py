from __future__ import annotations

import pytest

from dsocr.exports.language.guess import LanguageGuess, decimal_sign
from dsocr.exports.tables.numbers import Number, decimal_of, decimal_votes, to_number


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1.234,56", ",", 1234.56),
        ("1,234.56", ".", 1234.56),
        ("1 234,56", ",", 1234.56),
        ("1\u202f234\u202f567", None, 1234567),
        ("1'234.50", ".", 1234.5),
        ("1.234.567", ",", 1234567),
        ("12,5", None, 12.5),
        ("1.234,56", None, 1234.56),
        ("0.75", ".", 0.75),
        ("-3", ".", -3),
        ("\u22123", ".", -3),
        ("(1,500)", ".", -1500),
        ("12.5%", ".", 0.125),
        ("€ 1.000", ",", 1000),
        ("-$5.25", ".", -5.25),
        ("20 EUR", None, 20),
        ("2024", None, 2024),
    ],
)
def test_a_number_is_read_with_its_decimal_sign(
    text: str, decimal: str | None, value: float
) -> None:
    number = to_number(text, decimal)
    assert number is not None and number.value == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["", "-", "%", "$", "n/a", "007", "00.5", "1e5", "2024-01-31", "31.01.2024", "1/2", "12:30"]
    + ["+49 30 123", "1.2.3", "12 34", "1,23,456", "1234567890123456", "1.", ".5", "(-5)", "5 kg"],
)
def test_what_is_no_number_for_sure_stays_text(text: str) -> None:
    assert to_number(text, ".") is None
    assert to_number(text, ",") is None


def test_a_number_that_can_be_read_in_two_ways_stays_text() -> None:
    assert to_number("1,234", None) is None
    assert to_number("1.234", None) is None
    assert to_number("1,234", ".") == Number(1234, 0, grouped=True)
    assert to_number("1,234", ",") == Number(1.234, 3)


def test_the_cells_that_can_be_read_in_one_way_decide() -> None:
    votes = decimal_votes(["1.234", "12,5", "word", "7,25", "1.50"])
    assert votes == {",": 2, ".": 1}
    assert decimal_of(votes, ".") == ","
    assert decimal_of({",": 1, ".": 1}, ".") == "."
    assert decimal_of({",": 0, ".": 0}, None) is None


@pytest.mark.parametrize(
    ("text", "language", "decimal"),
    [
        ("The sum of the two is that of the parts and of the rest.", "en-US", "."),
        ("Der Rest ist nicht mit den Teilen zu vergleichen und das ist gut.", "de-DE", ","),
        ("Le total des ventes est dans le tableau pour les années.", "fr-FR", ","),
        ("世界你好，这是一个测试。", "zh-CN", "."),
        ("これはテストです。世界", "ja-JP", "."),
        ("안녕하세요 세계", "ko-KR", "."),
        ("Привет, мир", "ru-RU", ","),
        ("مرحبا بالعالم", "ar-SA", None),
        ("12 34", None, None),
        ("xyz", None, None),
    ],
)
def test_the_language_is_guessed_from_letters_and_words(
    text: str, language: str | None, decimal: str | None
) -> None:
    guess = LanguageGuess()
    guess.add(text)
    assert guess.language() == language
    assert decimal_sign(language) == decimal
