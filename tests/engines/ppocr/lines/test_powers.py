from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.powers import with_powers

WIDTH, HEIGHT = 20, 40  # of a character's place


def printed(text: str, *, raised: bool) -> tuple[np.ndarray, Line]:
    """A line whose characters are blocks of ink; the last digit stands raised or in the row."""
    page = Image.new("RGB", (WIDTH * len(text) + 40, 100), "white")
    draw = ImageDraw.Draw(page)
    power = max(text.rfind("2"), text.rfind("3"))
    for place, char in enumerate(text):
        x0, top, foot = 20 + WIDTH * place, 35, 60
        if char != " ":
            top, foot = (30, 46) if place == power and raised else (top, foot)
            draw.rectangle((x0 + 4, top, x0 + 15, foot), fill="black")
    centres = tuple((place + 0.5) / len(text) for place in range(len(text)))
    rect = Rect(20, 27, 20 + WIDTH * len(text), 27 + HEIGHT)
    return np.asarray(page), Line(text, rect, 0.9, centres=centres)


@pytest.mark.parametrize(
    ("text", "raised", "expected"),
    [
        ("84 m2 hall", True, "84 m\u00b2 hall"),
        ("84 m2 hall", False, "84 m2 hall"),
        ("per cm3", True, "per cm\u00b3"),
        ("room m27", True, "room m27"),
        ("form2", True, "form2"),
    ],
)
def test_a_digit_after_a_unit_is_a_power_where_it_stands_raised(
    text: str, raised: bool, expected: str
) -> None:
    image, line = printed(text, raised=raised)

    assert with_powers(image, [line])[0].text == expected
