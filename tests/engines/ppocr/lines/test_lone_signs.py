"""Signs that stand alone in a row are read, and what only looks like one is not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.lone_signs import lone_signs, with_bars
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.ocr import Ocr

TEXTS = ("Preface of the editor", "The coast before the railway", "Salt and tar", "The line")


@pytest.fixture(scope="module")
def ocr() -> Ocr:
    return Ocr(Networks(2))


def page() -> Image.Image:
    """Rows of text at the left; nothing at the right."""
    picture = Image.new("RGB", (900, 300), "white")
    for number, text in enumerate(TEXTS):
        write(picture, 60, 50 + 50 * number, text)
    return picture


def write(picture: Image.Image, x: int, y: int, text: str) -> None:
    ImageDraw.Draw(picture).text((x, y), text, font=ImageFont.load_default(26), fill="black")


def found(picture: Image.Image, ocr: Ocr) -> list[Line]:
    """What is found beside the rows, as if only those had been detected."""
    pixels = np.asarray(picture)
    quads = ocr.detect(np.asarray(page()), longest_side=1920)
    return lone_signs(pixels, quads, [], has_ideographs=False, ocr=ocr, poll=lambda: None)


@pytest.mark.parametrize("sign", ["7", "v", "X", "/"])
def test_a_sign_in_a_row_is_read_where_it_stands(ocr: Ocr, sign: str) -> None:
    picture = page()
    write(picture, 800, 100, sign)

    (line,) = found(picture, ocr)
    assert line.text == sign
    assert 780 < line.rect.x0 < line.rect.x1 < 840


def test_a_page_number_stands_apart_from_its_leaders(ocr: Ocr) -> None:
    picture = page()
    write(picture, 480, 100, ". " * 22)
    write(picture, 800, 100, "4")

    assert [line.text for line in found(picture, ocr)] == ["4"]


def test_a_narrow_sign_is_not_taken_for_text_that_runs_down(ocr: Ocr) -> None:
    picture = page()
    write(picture, 480, 100, ". " * 22)
    write(picture, 800, 100, "1")

    assert [line.text for line in found(picture, ocr)] == ["1"]


def test_rules_dots_and_drawings_are_no_signs(ocr: Ocr) -> None:
    picture = page()
    draw = ImageDraw.Draw(picture)
    draw.line((700, 20, 700, 280), fill="black", width=2)
    draw.ellipse((760, 112, 764, 116), fill="black")
    draw.rectangle((800, 60, 880, 240), outline="black", width=3)
    draw.polygon([(820, 90), (860, 90), (840, 130)], fill="black")

    assert found(picture, ocr) == []


def test_signs_far_from_any_text_are_left_alone(ocr: Ocr) -> None:
    picture = Image.new("RGB", (900, 900), "white")
    picture.paste(page(), (0, 0))
    write(picture, 800, 700, "7")

    assert found(picture, ocr) == []


def test_a_bar_that_was_taken_for_a_one_is_a_bar() -> None:
    picture = np.full((60, 80, 3), 255, np.uint8)
    picture[15:40, 19:21] = 0
    one = picture.copy()
    one[17:20, 14:19] = 0
    read = [Line("1", Rect(8, 8, 32, 48), 0.9)]

    assert with_bars(picture, read)[0].text == "|"
    assert with_bars(one, read) == read
