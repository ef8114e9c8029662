"""Pages whose lines stand upside down, sideways, steep, curved, or are hardly more than a sign."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz import fuzz

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.recognizer import PageRecognizer
from tests.engines.ppocr import typeset
from tests.engines.ppocr.test_recognizer import recognize, words

FRONT = ("MEMBERS OF THE CHOIR", "Ottoline Farquhar", "Number 5521-08", "since the spring of 2019")
BACK = ("Please hand in this card", "at the vestry of the church", "9 Mill Street, Durness")


def lettered(lines: tuple[str, ...], size: tuple[int, int]) -> Image.Image:
    return typeset.page(lines, size=size).image


def stacked(front: Image.Image, back: Image.Image) -> Image.Image:
    page = Image.new("RGB", (max(front.width, back.width), front.height + back.height), "white")
    page.paste(front, (0, 0))
    page.paste(back, (0, front.height))
    return page


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_part_in_another_direction_follows_the_upright_one(
    recognizer: PageRecognizer, rotation: int
) -> None:
    back = lettered(BACK, (480, 260)).rotate(rotation, expand=True)
    response = recognize(recognizer, typeset.of(stacked(lettered(FRONT, (760, 300)), back)))

    assert words(response).split() == " ".join(FRONT + BACK).split()
    assert response["flags"] == []


@pytest.mark.parametrize("text", ["7", "42", "6", "W", "No", "IV", "9"])
@pytest.mark.parametrize("size", [(70, 70), (110, 80)])
def test_a_cut_out_of_one_or_two_characters_is_upright(
    recognizer: PageRecognizer, text: str, size: tuple[int, int]
) -> None:
    picture = Image.new("RGB", size, "white")
    centre = (size[0] // 2, size[1] // 2)
    font = ImageFont.load_default(34)
    ImageDraw.Draw(picture).text(centre, text, fill="black", font=font, anchor="mm")
    response = recognize(recognizer, typeset.of(picture))

    assert words(response) == text
    assert not [flag for flag in response["flags"] if flag.startswith("turned")]


@pytest.mark.parametrize("degrees", [-40, -25, 20, 33])
def test_steep_lines_keep_their_order(recognizer: PageRecognizer, degrees: int) -> None:
    picture = lettered(typeset.FOX, (760, 300)).rotate(degrees, expand=True, fillcolor="white")

    assert words(recognize(recognizer, typeset.of(picture))) == " ".join(typeset.FOX)


def test_strongly_curved_lines_are_all_recognized(recognizer: PageRecognizer) -> None:
    flat = np.asarray(lettered(typeset.FOX * 2, (700, 560)))
    shift = (34 * np.sin(np.arange(700) / 700 * 2 * np.pi)).astype(int)
    curved = np.stack([np.roll(flat[:, x], shift[x], axis=0) for x in range(700)], axis=1)
    response = recognize(recognizer, typeset.of(Image.fromarray(curved)))

    assert fuzz.ratio(words(response), " ".join(typeset.FOX * 2)) > 97
    starts = [line[0].replace(" ", "")[:5] for line in response["lines"]]
    assert starts == [line.replace(" ", "")[:5] for line in typeset.FOX * 2]


def test_inverse_words_keep_the_blanks_beside_them(recognizer: PageRecognizer) -> None:
    page = Image.new("RGB", (760, 160), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(26)
    x = 40.0
    for text, is_inverse in (("Bring the ", False), ("signed form", True), (" to the desk", False)):
        width = draw.textlength(text, font=font)
        if is_inverse:
            draw.rectangle((x - 2, 58, x + width + 2, 94), fill=(20, 20, 20))
        draw.text((x, 60), text, fill="white" if is_inverse else "black", font=font)
        x += width

    text = words(recognize(recognizer, typeset.of(page)))
    assert text.lstrip("# ") == "Bring the signed form to the desk"


def test_small_lines_on_a_large_sheet_are_found(recognizer: PageRecognizer) -> None:
    page = Image.new("RGB", (3600, 5000), "white")
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(typeset.FOX[:3]):
        place = (1500, 2300 + 52 * number)
        draw.text(place, line, fill="black", font=ImageFont.load_default(34))

    assert words(recognize(recognizer, typeset.of(page))) == " ".join(typeset.FOX[:3])


def test_an_illegible_scan_is_flagged(recognizer: PageRecognizer) -> None:
    page = lettered(typeset.FOX, (760, 300))
    coarse = page.resize((190, 75)).resize((760, 300)).convert("L")
    coarse = coarse.point(lambda value: 255 if value > 150 else 0)

    assert "low_confidence" in recognize(recognizer, typeset.of(coarse.convert("RGB")))["flags"]


def test_a_turned_line_has_its_place_on_the_page(recognizer: PageRecognizer) -> None:
    back = lettered(BACK, (480, 260)).rotate(180)
    response = recognize(recognizer, typeset.of(stacked(lettered(FRONT, (760, 300)), back)))

    last = next(line for line in response["lines"] if line[0].startswith("Please"))
    assert 0.8 < last[2] < last[4] < 1.0


def test_a_line_s_turn_is_not_part_of_its_text() -> None:
    line = Line("Weaving", Rect(0, 0, 10, 80), 0.9, turn=270)

    assert line.with_text("Pottery").turn == 270
