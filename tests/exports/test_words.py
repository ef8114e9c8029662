from __future__ import annotations

from dsocr.exports.layout.lines import fitted, regions_of
from dsocr.exports.layout.words import direction_of, visual_order, words_of
from dsocr.types import Block, Box, PageResult, TextLine
from tests.exports.samples import ARABIC, CHINESE, first_page, line

BOX = Box(0.1, 0.1, 0.9, 0.12)


def test_words_divide_their_line_by_their_widths() -> None:
    words = words_of(TextLine("a wide-word", BOX))
    (_, first), (_, second) = words
    assert [word for word, _ in words] == ["a", "wide-word"]
    assert first.x0 == BOX.x0 and abs(second.x1 - BOX.x1) < 1e-9
    assert first.x1 < second.x0 and (first.x1 - first.x0) < (second.x1 - second.x0)


def test_words_from_right_to_left_begin_at_the_right_edge() -> None:
    words = dict(words_of(TextLine(ARABIC, BOX)))
    first, second, number = (words[word] for word in ARABIC.split())
    assert abs(first.x1 - BOX.x1) < 1e-9 and number.x0 == BOX.x0
    assert first.x0 > second.x1 > second.x0 > number.x1


def test_latin_words_inside_an_arabic_line_keep_their_order() -> None:
    words = ["مرحبا", "open", "source", "بالعالم"]
    assert visual_order(words) == [3, 1, 2, 0]
    assert visual_order(["something", "مرحبا", "بالعالم", "elsewhere"]) == [0, 2, 1, 3]


def test_chinese_without_blanks_is_one_word() -> None:
    text = CHINESE.replace(" ", "")
    assert words_of(TextLine(text, BOX)) == [(text, BOX)]
    assert words_of(TextLine(" ", BOX)) == []
    assert direction_of(text) == direction_of("12") == "ltr"


def test_lines_belong_to_the_block_around_their_middle() -> None:
    regions = regions_of(first_page())
    assert [line.text for line in regions[1].lines] == [
        "Some words & more",
        "of a second line with x²\x07.",
    ]
    assert regions[-1].lines[0].text == "beside all blocks"
    assert regions[5].is_figure and not regions[5].lines


def test_a_block_without_lines_is_set_into_its_box() -> None:
    block = Block("text", "*Words* and words " * 40, (Box(0.1, 0.1, 0.9, 0.3),), 0.8)
    (region,) = regions_of(PageResult(0, 100, 140, "x", (block,)))
    assert len(region.lines) > 3
    assert " ".join(line.text for line in region.lines) == ("Words and words " * 40).strip()
    assert region.lines[0].box.y0 == 0.1 and region.lines[0].confidence == 0.8
    assert all(
        a.box.y1 <= b.box.y0 + 1e-9 for a, b in zip(region.lines, region.lines[1:], strict=False)
    )


def test_a_text_is_divided_over_the_places_of_lines() -> None:
    places = [line("", 0.1).box, line("", 0.2).box, line("", 0.3).box]
    assert [each.text for each in fitted("a\nb\nc", places)] == ["a", "b", "c"]
    rows = [each.text for each in fitted("one two three four five six", places)]
    assert rows == ["one two", "three four", "five six"]
    assert [each.text for each in fitted("word", places)] == ["word"]
    assert fitted("", places) == fitted("word", []) == ()
