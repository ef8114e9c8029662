from __future__ import annotations

import numpy as np
import pytest

from dsocr.engines.embedded.ocr import Ocr, Pixels, Reading, quads_of
from tests.engines.embedded import typeset


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
