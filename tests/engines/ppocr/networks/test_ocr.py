from __future__ import annotations

import numpy as np
import pytest

from dsocr.engines.ppocr.networks.ocr import Ocr, Pixels, Quad, Reading, crop, quads_of
from dsocr.engines.ppocr.networks.orientation import TURNS, Turn, turned_back
from tests.engines.ppocr import typeset


def read(ocr: Ocr, image: Pixels) -> list[Reading]:
    return ocr.read(image, ocr.detect(image, longest_side=1280), poll=lambda: None)


def test_a_typeset_page_is_read_letter_by_letter(ocr: Ocr) -> None:
    lines = [reading.line for reading in read(ocr, typeset.pixels(typeset.page()))]

    assert [line.text for line in lines] == list(typeset.FOX)
    assert min(line.score for line in lines) > 0.95


def test_a_bilevel_scan_is_read(ocr: Ocr) -> None:
    text = " ".join(reading.line.text for reading in read(ocr, typeset.pixels(typeset.scan())))

    assert text.startswith(typeset.SCAN_WORDS)


def test_lines_stand_where_they_were_set(ocr: Ocr) -> None:
    readings = read(ocr, typeset.pixels(typeset.page()))

    for reading, expected in zip(readings, typeset.layer(), strict=True):
        rect, box = reading.line.rect, expected.box
        assert rect.x0 == pytest.approx(box.x0 * 760, abs=12)
        assert rect.x1 == pytest.approx(box.x1 * 760, abs=12)
        assert rect.y0 <= box.y0 * 420 + 4 and rect.y1 >= box.y1 * 420 - 4


def test_each_character_has_its_place_along_the_line(ocr: Ocr) -> None:
    for reading in read(ocr, typeset.pixels(typeset.page())):
        assert len(reading.centres) == len(reading.line.text)
        assert list(reading.centres) == sorted(reading.centres)
        assert 0 <= reading.centres[0] < reading.centres[-1] <= 1


def test_a_page_that_is_given_up_stops_between_two_lines(ocr: Ocr) -> None:
    image = typeset.pixels(typeset.page())
    quads = ocr.detect(image, longest_side=1280)
    polls = []

    def poll() -> None:
        polls.append(1)
        if len(polls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ocr.read(image, quads, poll=poll)
    assert len(polls) == 2
    assert len(ocr.read(image, quads, poll=lambda: None)) == len(quads)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (40, 40)])
def test_odd_sizes_are_pages_without_text(ocr: Ocr, size: tuple[int, int]) -> None:
    assert read(ocr, np.full((*size, 3), 255, np.uint8)) == []


def test_a_box_around_a_large_page_is_laid_straight_at_a_bounded_size() -> None:
    image = np.full((4000, 5000, 3), 255, np.uint8)
    image[:, 2500:] = 0

    laid = crop(image, rectangle(-20, 100, 5020, 3900))

    assert min(laid.shape[:2]) == pytest.approx(768, abs=2)
    assert laid.shape[1] / laid.shape[0] == pytest.approx(5040 / 3800, abs=0.01)
    middle = laid.shape[1] // 2
    assert laid[:, : middle - 3].min() > 250 and laid[:, middle + 3 :].max() < 5


def test_a_line_is_laid_straight_pixel_by_pixel() -> None:
    image = np.arange(60 * 200 * 3, dtype=np.uint8).reshape(60, 200, 3)

    assert (crop(image, rectangle(10, 20, 110, 50)) == image[20:50, 10:110]).all()


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Quad:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


@pytest.mark.parametrize("turn", TURNS)
def test_lines_are_found_on_the_page_as_it_will_be_turned(ocr: Ocr, turn: Turn) -> None:
    image = typeset.pixels(typeset.page())

    quads = ocr.detect(image, longest_side=1280, turn=turn)

    turned = ocr.detect(turned_back(image, turn).image, longest_side=1280)
    assert len(quads) == len(turned) == len(typeset.FOX)
    for quad, expected in zip(quads, turned, strict=True):
        assert quad == pytest.approx(expected, abs=3)


def test_quads_grow_around_the_core_that_was_marked() -> None:
    ink = np.zeros((100, 200), np.float32)
    ink[40:50, 50:150] = 0.9

    (quad,) = quads_of(ink)

    assert quad[0].tolist() < [50, 40]
    assert quad[2].tolist() > [150, 50]
    assert quad[:, 1].min() == pytest.approx(32.5, abs=2)


def test_faint_marks_are_no_lines() -> None:
    ink = np.zeros((100, 200), np.float32)
    ink[40:50, 50:150] = 0.35

    assert quads_of(ink) == []
