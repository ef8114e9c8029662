"""Pictures and what is only words, drawn here."""

import cv2
import numpy as np

from dsocr.engines.ppocr.blocks.figures import (
    shows_a_picture,
    without_false_figures,
    without_frames,
)
from dsocr.engines.ppocr.geometry import Line, Rect, Region

REGION = Rect(50, 50, 450, 350)
PLACES = [(60 + 130 * column, 70 + 40 * row) for row in range(6) for column in range(3)]
LINES = [Line("12,345", Rect(x, y, x + 60, y + 20), 1.0) for x, y in PLACES]


def page(paper: int = 255) -> np.ndarray:  # type: ignore[type-arg]
    picture = np.full((400, 500, 3), 255, np.uint8)
    picture[50:350, 50:450] = paper
    for x, y in PLACES:
        picture[y + 3 : y + 17, x : x + 60 : 4] = 0
    return picture


def test_words_in_rows_are_no_picture() -> None:
    assert not shows_a_picture(REGION, LINES, page())


def test_a_frame_rules_and_shade_make_no_picture() -> None:
    boxed = page(paper=230)
    cv2.rectangle(boxed, (52, 52), (448, 348), (90, 90, 90), 1)
    cv2.line(boxed, (52, 100), (448, 100), (0, 0, 0), 2)

    assert not shows_a_picture(REGION, LINES, boxed)


def test_bars_between_the_labels_are_a_picture() -> None:
    chart = page()
    chart[110:340, 130:170] = (60, 90, 160)

    assert shows_a_picture(REGION, LINES, chart)


def test_a_region_without_words_stays_a_figure() -> None:
    figure, text = Region("figure", REGION, 0.9), Region("text", REGION, 0.9)

    assert without_false_figures([figure, text], [], page()) == [figure, text]
    assert without_false_figures([figure, text], LINES, page()) == [text]


def test_a_frame_around_most_of_the_text_is_no_figure() -> None:
    lines = [Line("words on a receipt", Rect(50, 40 * i, 400, 40 * i + 20), 0.9) for i in range(9)]
    frame = Region("figure", Rect(20, 0, 500, 400), 0.9)
    logo = Region("figure", Rect(40, 0, 450, 60), 0.9)
    assert without_frames([frame, logo], lines) == [logo]
    assert without_frames([frame], []) == [frame]
