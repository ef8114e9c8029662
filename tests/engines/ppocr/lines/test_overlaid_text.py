from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dsocr.engines.ppocr.lines.overlays import find_overlays, separate
from dsocr.engines.ppocr.recognizer import PageRecognizer
from tests.engines.ppocr import typeset
from tests.engines.ppocr.test_recognizer import recognize, words

LINES = (
    "The board of the rowing club met on the third of March",
    "and heard the report of the boatman about the winter.",
    "Eleven oars were mended and two hulls were painted,",
    "for which the timber was given by a member of the club.",
    "The board thanks her and lends her a boat for a year.",
    "The next regatta will be held on the first of August.",
)
LINE_HEIGHT = 26.0
RED, BLUE, BLACK = (200, 30, 40), (30, 60, 170), (0, 0, 0)


def stamped(
    colour: tuple[int, int, int], *, opacity: float = 0.9, angle: int = 0, top: int = 110
) -> Image.Image:
    """A page whose lines a framed stamp covers."""
    page = typeset.page(LINES, size=(900, 420)).image
    stamp = Image.new("L", (300, 110), 0)
    draw = ImageDraw.Draw(stamp)
    draw.rounded_rectangle((3, 3, 296, 106), 12, outline=255, width=8)
    draw.text((150, 55), "PAID", fill=255, font=ImageFont.load_default(64), anchor="mm")
    stamp = stamp.rotate(angle, expand=True, resample=Image.Resampling.BICUBIC)
    page.paste(colour, (390, top), stamp.point(lambda value: value * opacity))
    return page


@pytest.mark.parametrize("colour", [RED, BLUE])
@pytest.mark.parametrize("angle", [0, 9])
def test_lines_under_a_coloured_stamp_are_recognized(
    recognizer: PageRecognizer, colour: tuple[int, int, int], angle: int
) -> None:
    text = " ".join(words(recognize(recognizer, typeset.of(stamped(colour, angle=angle)))).split())

    assert " ".join(LINES) in text
    assert text.endswith("PAID")


def test_lines_under_a_pale_stamp_are_recognized(recognizer: PageRecognizer) -> None:
    text = words(recognize(recognizer, typeset.of(stamped(RED, opacity=0.4))))

    assert " ".join(LINES) in " ".join(text.split())


def test_lines_beside_the_strokes_of_a_black_stamp_are_recognized(
    recognizer: PageRecognizer,
) -> None:
    response = recognize(recognizer, typeset.of(stamped(BLACK, opacity=1.0)))

    assert len(response["lines"]) >= len(LINES)


def test_a_stamp_on_free_paper_lies_over_no_text() -> None:
    picture = np.asarray(stamped(RED, top=400))

    assert not find_overlays(picture, LINE_HEIGHT)


def test_plain_text_has_no_overlay() -> None:
    assert not find_overlays(typeset.pixels(typeset.page(LINES, size=(900, 420))), LINE_HEIGHT)
    assert not find_overlays(typeset.pixels(typeset.scan()), LINE_HEIGHT)


def test_black_print_stays_dark_where_a_colour_covers_it() -> None:
    picture = np.full((60, 200, 3), 255, np.uint8)
    picture[20:40, 20:180] = RED
    picture[28:34, 60:120] = (180, 27, 36)

    layers = separate(picture, 20.0)

    assert layers.text[31, 90].max() < 60
    assert layers.text[22, 150].min() > 240
    assert layers.overlay[31, 90].tolist() == list(RED)
