from __future__ import annotations

import cv2
import numpy as np
import pytest

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.orientation import ORIENTATIONS, Orientation
from dsocr.engines.ppocr.view import View, skew_of, straighten, upright_view
from dsocr.types import Box
from tests.engines.ppocr import typeset


def rotated_right(image: np.ndarray, orientation: Orientation) -> np.ndarray:  # type: ignore[type-arg]
    return np.ascontiguousarray(np.rot90(image, -orientation // 90))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_rotating_back_gives_the_upright_page(orientation: Orientation) -> None:
    upright = typeset.pixels(typeset.page())

    assert (upright_view(rotated_right(upright, orientation), orientation).image == upright).all()


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_boxes_are_fractions_of_the_page_as_given(orientation: Orientation) -> None:
    given = np.zeros((60, 100, 3), np.uint8)
    given[10:20, 30:70] = 255
    view = upright_view(given, orientation)
    ys, xs = np.nonzero(view.image[:, :, 0])

    box = view.box(Rect(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))

    sides = (box.x0 * 100, box.y0 * 60, box.x1 * 100, box.y1 * 60)
    assert sides == pytest.approx((30, 10, 70, 20))


def test_a_box_ends_at_the_edges_of_the_page() -> None:
    view = upright_view(np.zeros((60, 100, 3), np.uint8), 90)

    assert view.box(Rect(-5, -5, 200, 200)) == Box(0, 0, 1, 1)


def skewed(degrees: float) -> np.ndarray:  # type: ignore[type-arg]
    image = typeset.pixels(typeset.scan())
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    return cv2.warpAffine(image, matrix, (width, height), borderValue=(255, 255, 255))


@pytest.mark.parametrize("degrees", [-3.0, -1.0, 2.0, 3.0])
def test_a_slope_is_measured_and_taken_out(ocr: Ocr, degrees: float) -> None:
    image = skewed(degrees)
    quads = ocr.detect(image, longest_side=1280)
    assert skew_of(quads) == pytest.approx(degrees, abs=0.5)

    view, level = straighten(upright_view(image, 0), quads)

    assert skew_of(level) == pytest.approx(0, abs=0.4)
    again = ocr.detect(view.image, longest_side=1280)
    assert skew_of(again) == pytest.approx(0, abs=0.4)


def test_boxes_of_a_straightened_page_hold_the_sloping_lines(ocr: Ocr) -> None:
    image = skewed(3.0)
    height, width = image.shape[:2]
    quads = ocr.detect(image, longest_side=1280)

    view, level = straighten(upright_view(image, 0), quads)

    for before, after in zip(quads, level, strict=True):
        (x0, y0), (x1, y1) = after.min(axis=0), after.max(axis=0)
        box = view.box(Rect(x0, y0, x1, y1))
        left, top, right, bottom = box.x0 * width, box.y0 * height, box.x1 * width, box.y1 * height
        assert left <= before[:, 0].min() + 2 and right >= before[:, 0].max() - 2
        assert top <= before[:, 1].min() + 2 and bottom >= before[:, 1].max() - 2


def test_a_level_page_is_left_alone(ocr: Ocr) -> None:
    view = upright_view(typeset.pixels(typeset.scan()), 0)
    quads = ocr.detect(view.image, longest_side=1280)

    same, _ = straighten(view, quads)

    assert same is view


def test_a_page_without_lines_has_no_slope() -> None:
    assert skew_of([]) == 0.0
    view: View = upright_view(np.zeros((10, 10, 3), np.uint8), 0)
    assert straighten(view, []) == (view, [])
