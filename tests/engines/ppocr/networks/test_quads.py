from __future__ import annotations

import numpy as np
import pytest

from dsocr.engines.ppocr.networks.quads import Quad, crop, quads_of


def test_a_box_around_a_large_page_is_straightened_at_a_bounded_size() -> None:
    image = np.full((4000, 5000, 3), 255, np.uint8)
    image[:, 2500:] = 0

    straight = crop(image, rectangle(-20, 100, 5020, 3900))

    assert min(straight.shape[:2]) == pytest.approx(768, abs=2)
    assert straight.shape[1] / straight.shape[0] == pytest.approx(5040 / 3800, abs=0.01)
    middle = straight.shape[1] // 2
    assert straight[:, : middle - 3].min() > 250 and straight[:, middle + 3 :].max() < 5


def test_a_line_is_straightened_pixel_by_pixel() -> None:
    image = np.arange(60 * 200 * 3, dtype=np.uint8).reshape(60, 200, 3)

    assert (crop(image, rectangle(10, 20, 110, 50)) == image[20:50, 10:110]).all()


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Quad:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def test_quads_grow_around_the_core_that_was_marked() -> None:
    probabilities = np.zeros((100, 200), np.float32)
    probabilities[40:50, 50:150] = 0.9

    (quad,) = quads_of(probabilities)

    assert quad[0].tolist() < [50, 40]
    assert quad[2].tolist() > [150, 50]
    assert quad[:, 1].min() == pytest.approx(32.5, abs=2)


def test_faint_marks_are_no_lines() -> None:
    probabilities = np.zeros((100, 200), np.float32)
    probabilities[40:50, 50:150] = 0.35

    assert quads_of(probabilities) == []


def test_a_long_row_with_faint_leaders_is_a_line() -> None:
    probabilities = np.zeros((100, 900), np.float32)
    probabilities[40:55, 50:850] = 0.46

    assert len(quads_of(probabilities)) == 1
    assert not quads_of(probabilities[:, :250])
