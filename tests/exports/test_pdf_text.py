"""The invisible text's parts: the font, its characters, the order of letters, guessed lines."""

from __future__ import annotations

import struct

import pytest

from dsocr.exports.pdf.font import empty_font
from dsocr.exports.pdf.letters import Letters, text_width, width_of
from dsocr.exports.pdf.text_layer import wrapped
from dsocr.exports.pdf.visual_order import visual_order
from dsocr.types import Box


def test_the_font_is_a_valid_file_with_a_glyph_for_each_width() -> None:
    font = empty_font([260, 1000])
    _, count = struct.unpack_from(">IH", font)
    tables = {}
    for number in range(count):
        tag, _, at, length = struct.unpack_from(">4sIII", font, 12 + 16 * number)
        tables[tag] = font[at : at + length]
    assert list(tables) == sorted(tables)
    assert struct.unpack(f">{len(font) // 4}I", font)  # whole words
    assert sum(struct.unpack(f">{len(font) // 4}I", font)) & 0xFFFFFFFF == 0xB1B0AFBA
    assert struct.unpack_from(">H", tables[b"maxp"], 4) == (3,)
    assert struct.unpack(">HhHhHh", tables[b"hmtx"]) == (500, 0, 260, 0, 1000, 0)
    places = struct.unpack(">4I", tables[b"loca"])
    assert places == tuple(range(0, len(tables[b"glyf"]) + 1, len(tables[b"glyf"]) // 3))
    assert len(font) < 500


def test_each_character_has_one_code_that_stands_for_it() -> None:
    letters = Letters()
    assert letters.encode("aba𠀀") == b"0001000200010003"
    assert b"<0003> <D840DC00>" in letters.to_unicode()
    assert letters.widths() == b"[1 [500 500 1000]]"
    assert letters.glyph_widths() == [500, 1000]
    assert letters.glyphs() == struct.pack(">4H", 0, 1, 1, 2)


def test_letters_have_the_widths_of_their_kind() -> None:
    assert width_of("i") < width_of("a") < width_of("M") < width_of("世")
    assert width_of("\u0301") == 0
    assert text_width("a\u0301") == text_width("a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words", "plain words"),
        ("אבג", "גבא"),
        ("אב גד", "דג בא"),
        ("אבג 12.5 דה", "הד 12.5 גבא"),
        ("say אבג now", "say גבא now"),
        ("אבגדהו to be זחט", "טחז to be והדגבא"),
        ("(אבג)", "(גבא)"),
        ("אב\u05b8ג", "גב\u05b8א"),
        ("عام 2024", "2024 ماع"),
        ("50% אבגד", "דגבא 50%"),
    ],
)
def test_right_to_left_text_is_put_in_the_order_of_the_page(text: str, expected: str) -> None:
    assert visual_order(text) == expected


def test_a_paragraph_becomes_as_many_lines_as_its_box_is_high() -> None:
    box = Box(0, 0, 0.5, 0.1)
    lines = list(wrapped("word " * 40, box, 1000, 1000))
    assert 3 <= len(lines) <= 6
    assert " ".join(text for text, _ in lines).split() == ["word"] * 40
    assert lines[0][1].y0 == 0 and lines[-1][1].y1 == pytest.approx(0.1)
    assert [box.y0 for _, box in lines[1:]] == pytest.approx([box.y1 for _, box in lines[:-1]])


def test_text_without_blanks_is_broken_between_letters_of_full_width() -> None:
    lines = list(wrapped("世" * 60, Box(0, 0, 0.2, 0.2), 1000, 1000))
    assert len(lines) > 4
    assert "".join(text for text, _ in lines) == "世" * 60


def test_line_breaks_of_a_text_stay() -> None:
    lines = list(wrapped("one\n\ntwo", Box(0, 0, 1, 0.1), 1000, 1000))
    assert [text for text, _ in lines] == ["one", "two"]
    assert list(wrapped(" \n", Box(0, 0, 1, 1), 10, 10)) == []
