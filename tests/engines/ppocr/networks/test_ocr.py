from __future__ import annotations

import numpy as np
import pytest

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.orientation import ORIENTATIONS, Orientation
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.view import upright_view
from tests.engines.ppocr import typeset


def recognize(ocr: Ocr, image: Pixels) -> list[Line]:
    return ocr.recognize(image, ocr.detect(image, longest_side=1280), poll=lambda: None)


def test_a_typeset_page_is_recognized_letter_by_letter(ocr: Ocr) -> None:
    lines = recognize(ocr, typeset.pixels(typeset.page()))

    assert [line.text for line in lines] == list(typeset.FOX)
    assert min(line.score for line in lines) > 0.95


def test_a_bilevel_scan_is_recognized(ocr: Ocr) -> None:
    text = " ".join(line.text for line in recognize(ocr, typeset.pixels(typeset.scan())))

    assert text.startswith(typeset.SCAN_WORDS)


def test_lines_stand_where_they_were_set(ocr: Ocr) -> None:
    lines = recognize(ocr, typeset.pixels(typeset.page()))

    for line, expected in zip(lines, typeset.layer(), strict=True):
        rect, box = line.rect, expected.box
        assert rect.x0 == pytest.approx(box.x0 * 760, abs=12)
        assert rect.x1 == pytest.approx(box.x1 * 760, abs=12)
        assert rect.y0 <= box.y0 * 420 + 4 and rect.y1 >= box.y1 * 420 - 4


def test_each_character_has_its_place_along_the_line(ocr: Ocr) -> None:
    for line in recognize(ocr, typeset.pixels(typeset.page())):
        assert len(line.centres) == len(line.text)
        assert list(line.centres) == sorted(line.centres)
        assert 0 <= line.centres[0] < line.centres[-1] <= 1


def test_a_cancelled_page_stops_between_two_lines(ocr: Ocr) -> None:
    image = typeset.pixels(typeset.page())
    quads = ocr.detect(image, longest_side=1280)
    polls = []

    def poll() -> None:
        polls.append(1)
        if len(polls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ocr.recognize(image, quads, poll=poll)
    assert len(polls) == 2
    assert len(ocr.recognize(image, quads, poll=lambda: None)) == len(quads)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (40, 40)])
def test_odd_sizes_are_pages_without_text(ocr: Ocr, size: tuple[int, int]) -> None:
    assert recognize(ocr, np.full((*size, 3), 255, np.uint8)) == []


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_lines_are_detected_on_the_rotated_page(ocr: Ocr, orientation: Orientation) -> None:
    image = typeset.pixels(typeset.page())

    quads = ocr.detect(image, longest_side=1280, orientation=orientation)

    rotated = ocr.detect(upright_view(image, orientation).image, longest_side=1280)
    assert len(quads) == len(rotated) == len(typeset.FOX)
    for quad, expected in zip(quads, rotated, strict=True):
        assert quad == pytest.approx(expected, abs=3)


def test_lines_in_a_batch_are_those_that_are_recognized_alone(ocr: Ocr) -> None:
    image = typeset.pixels(typeset.page())
    left, top = ocr.detect(image, longest_side=1280)[0][0]
    words = [
        np.array([[x, top], [x + 90, top], [x + 90, top + 30], [x, top + 30]], np.float32)
        for x in (left, left + 95, left + 190, left + 285)
    ]

    together = ocr.recognize(image, words, poll=lambda: None)

    assert together == [ocr.recognize(image, [word], poll=lambda: None)[0] for word in words]
