from __future__ import annotations

import numpy as np

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.review.flags import is_illegible_print
from dsocr.engines.ppocr.review.unread import has_unread_text
from tests.engines.ppocr import typeset

PAGE = typeset.pixels(typeset.page())


def lines() -> list[Line]:
    """The lines of the page as they are printed."""
    height, width = PAGE.shape[:2]
    boxes = [line.box for line in typeset.layer()]
    return [
        Line(text, Rect(box.x0 * width, box.y0 * height, box.x1 * width, box.y1 * height), 0.99)
        for text, box in zip(typeset.FOX, boxes, strict=True)
    ]


def test_a_page_whose_lines_are_all_read_has_no_unread_text() -> None:
    assert not has_unread_text(PAGE, lines(), ())


def test_a_line_that_is_missing_is_unread_text() -> None:
    assert has_unread_text(PAGE, lines()[:-1], ())


def test_what_a_figure_shows_is_not_missing() -> None:
    missing = lines()[-1]
    assert not has_unread_text(PAGE, lines()[:-1], (missing.rect,))


def test_rules_and_dark_areas_are_no_text() -> None:
    drawn = PAGE.copy()
    drawn[300:303, 20:700] = 0
    drawn[340:400, 60:600] = 60
    assert not has_unread_text(drawn, lines(), ())


def test_a_black_and_white_page_without_lines_is_illegible_print() -> None:
    specks = np.random.default_rng(1).random((400, 300)) < 0.1
    page = np.repeat(np.where(specks, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    assert is_illegible_print(page)


def test_an_empty_page_and_a_photograph_are_no_print() -> None:
    assert not is_illegible_print(np.full((400, 300, 3), 255, np.uint8))
    levels = np.tile(np.linspace(0, 255, 300).astype(np.uint8), (400, 1))
    assert not is_illegible_print(np.repeat(levels[:, :, None], 3, axis=2))
