"""Pages turned by quarters."""

from __future__ import annotations

import pytest
from PIL import Image

from dsocr.pages.turn import turned
from dsocr.types import Box, PageImage, TextLine


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_box_of_a_line_stays_on_its_ink(rotation: int) -> None:
    box = Box(0.1, 0.2, 0.4, 0.25)
    image = Image.new("RGB", (200, 400), "white")
    image.paste("black", (*box.pixels(200, 400),))
    line = TextLine("ink", box)
    page = turned(PageImage(0, image, 200, 400, text_lines=(line,), hidden_lines=(line,)), rotation)
    assert page.text_lines == page.hidden_lines
    assert page.text_lines is not None
    found = page.text_lines[0].box
    ink = page.image.convert("L").point(lambda level: 255 - level).getbbox()
    assert ink == tuple(
        round(side * (page.width, page.height)[at % 2])
        for at, side in enumerate((found.x0, found.y0, found.x1, found.y1))
    )


def test_a_quarter_to_the_right_puts_the_top_to_the_right() -> None:
    page = PageImage(3, Image.new("RGB", (2, 1), "white"), 2, 1, dpi=144)
    page.image.putpixel((0, 0), (0, 0, 0))
    after = turned(page, 90)
    assert (after.width, after.height, after.index, after.dpi) == (1, 2, 3, 144)
    assert after.image.getpixel((0, 0)) == (0, 0, 0)
    assert after.text_lines is None
