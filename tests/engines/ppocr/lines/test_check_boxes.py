from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.check_boxes import CheckBox, find_check_boxes
from dsocr.engines.ppocr.lines.layer.box_labels import with_box_marks
from dsocr.engines.ppocr.recognizer import PageRecognizer
from tests.engines.ppocr import typeset
from tests.engines.ppocr.test_recognizer import recognize, words

HEIGHT = 26.0
SIDE = 22
LABELS = ("Heart disease", "Epilepsy", "Allergies", "Broken bones")


def form(mark: str, *, is_round: bool = False) -> Image.Image:
    """Four labels with a box before each; the second and the last are ticked."""
    page = Image.new("RGB", (760, 330), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(26)
    for number, label in enumerate(LABELS):
        y = 60 + 60 * number
        box = (60, y + 4, 60 + SIDE, y + 4 + SIDE)
        (draw.ellipse if is_round else draw.rectangle)(box, outline="black", width=2)
        if number % 2:
            draw_mark(draw, box, mark)
        draw.text((60 + SIDE + 16, y), label, fill="black", font=font)
    return page


def draw_mark(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], mark: str) -> None:
    x0, y0, x1, y1 = box
    if mark == "cross":
        draw.line((x0 + 3, y0 + 3, x1 - 3, y1 - 3), fill="black", width=3)
        draw.line((x0 + 3, y1 - 3, x1 - 3, y0 + 3), fill="black", width=3)
    elif mark == "tick":
        draw.line((x0 + 4, y0 + 10, x0 + 9, y1 - 4, x1 + 5, y0 - 3), fill="black", width=3)
    elif mark == "dot":
        draw.ellipse((x0 + 6, y0 + 6, x1 - 6, y1 - 6), fill="black")
    else:
        draw.rectangle((x0 + 5, y0 + 5, x1 - 5, y1 - 5), fill="black")


EXPECTED = "[ ] Heart disease   [x] Epilepsy   [ ] Allergies   [x] Broken bones"


@pytest.mark.parametrize("mark", ["cross", "tick", "block"])
def test_boxes_stand_before_their_labels(recognizer: PageRecognizer, mark: str) -> None:
    text = words(recognize(recognizer, typeset.of(form(mark))))

    assert text.split() == EXPECTED.split()


def test_radio_buttons_stand_before_their_labels(recognizer: PageRecognizer) -> None:
    text = words(recognize(recognizer, typeset.of(form("dot", is_round=True))))

    assert text.split() == EXPECTED.split()


def test_letters_and_table_cells_are_no_boxes() -> None:
    page = typeset.page(("O Romeo, OO 0 D B H 8 □", "OXO 10 00 TOP"), size=(760, 420)).image
    draw = ImageDraw.Draw(page)
    for x in range(60, 400, 24):  # a comb for one letter each
        draw.rectangle((x, 300, x + 24, 324), outline="black", width=2)
    for x in range(60, 400, 30):
        draw.rectangle((x, 350, x + 22, 372), outline="black", width=2)

    assert find_check_boxes(np.asarray(page), HEIGHT) == []


def test_round_letters_of_typewriting_are_no_radio_buttons() -> None:
    page = typeset.page(("b e f o r e   o n   o f f", "f o r   t o   o w n"), size=(760, 420))

    assert find_check_boxes(typeset.pixels(page), HEIGHT) == []


def test_a_scan_without_boxes_has_none() -> None:
    assert find_check_boxes(typeset.pixels(typeset.scan()), 30.0) == []


def box(x0: float, y0: float = 100.0, *, is_ticked: bool = True) -> CheckBox:
    return CheckBox(Rect(x0, y0, x0 + 20, y0 + 20), is_ticked)


def line(text: str, x0: float, x1: float) -> Line:
    return Line(text, Rect(x0, 98, x1, 122), 1.0, from_layer=True)


def test_a_mark_of_the_text_layer_is_replaced_by_the_box() -> None:
    lines = [line("\u2714", 102, 118), line("Asthma", 130, 220)]

    assert [found.text for found in with_box_marks(lines, [box(100)])] == ["[x] Asthma"]


def test_a_label_that_begins_with_a_letter_x_keeps_it() -> None:
    marked = with_box_marks([line("x axis", 130, 220)], [box(100, is_ticked=False)])

    assert [found.text for found in marked] == ["[ ] x axis"]


def test_boxes_within_a_line_of_the_layer_stand_between_its_words() -> None:
    marked = with_box_marks([line("Yes     No", 100, 300)], [box(200)])

    assert [found.text.split() for found in marked] == [["Yes", "[x]", "No"]]


def test_a_box_after_its_label_is_a_line_of_its_own() -> None:
    marked = with_box_marks([line("Smoker", 100, 180)], [box(200)])

    assert [found.text for found in marked] == ["Smoker", "[x]"]


def test_box_characters_of_the_layer_become_marks() -> None:
    marked = with_box_marks([line("\u2610 Yes \u2611 No", 100, 300)], [])

    assert [found.text for found in marked] == ["[ ] Yes [x] No"]


@pytest.mark.parametrize("height", [14.0, 15.0, 16.0, 17.0, 18.0, 19.0])
def test_small_boxes_stay_in_their_place_whatever_the_height_of_the_text(height: float) -> None:
    picture = np.full((60, 120, 3), 255, np.uint8)
    picture[20:32, 30:42] = 0
    picture[21:31, 31:41] = 255

    (box,) = find_check_boxes(picture, height)

    assert not box.is_ticked
    assert box.rect.x0 == pytest.approx(30, abs=0.5)
