"""Which text layers stand for the lines of a page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsocr.engines.deepseek.text_lines import (
    MAX_LAYER_CHARACTERS,
    born_digital_lines,
    text_layer,
)
from dsocr.types import Box, TextLine
from tests.fakes import page_image

PAGE = page_image(["Привет", "first line", "second line"])


def test_lines_of_a_born_digital_page_are_its_text_layer() -> None:
    assert born_digital_lines(PAGE) == PAGE.text_lines
    assert born_digital_lines(replace(PAGE, image_share=0.3)) == PAGE.text_lines


@pytest.mark.parametrize("text_lines", [None, ()])
def test_a_page_without_a_text_layer_has_no_lines(text_lines: tuple[TextLine, ...] | None) -> None:
    assert born_digital_lines(replace(PAGE, text_lines=text_lines)) == ()


def test_the_text_layer_of_a_scan_is_not_used() -> None:
    assert born_digital_lines(replace(PAGE, image_share=1.0)) == ()


@pytest.mark.parametrize("text", ["\ufffd\ufffd\ufffd", "\ue001\ue002 a", "\x03\x04\x05"])
def test_a_text_layer_of_invalid_characters_is_not_used(text: str) -> None:
    lines = (*(PAGE.text_lines or ()), TextLine(text, Box(0, 0, 1, 1)))
    assert born_digital_lines(replace(PAGE, text_lines=lines)) == ()


def test_drafts_are_looked_up_in_the_layer_of_a_scan_too() -> None:
    hidden = (TextLine("recognized by another", Box(0, 0, 1, 0.1)),)
    scan = replace(PAGE, text_lines=(), hidden_lines=hidden, image_share=1.0)
    assert text_layer(PAGE) == ["Привет", "first line", "second line"]
    assert text_layer(scan) == ["recognized by another"]
    assert text_layer(replace(PAGE, text_lines=None)) == []


def test_a_text_layer_is_handed_over_up_to_a_limit() -> None:
    line = TextLine("x" * 1000, Box(0, 0, 1, 0.1))
    assert sum(map(len, text_layer(replace(PAGE, text_lines=(line,) * 99)))) == MAX_LAYER_CHARACTERS
