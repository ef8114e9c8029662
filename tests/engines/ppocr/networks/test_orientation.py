from __future__ import annotations

import cv2
import numpy as np
import pytest

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.orientation import (
    TURNS,
    Turn,
    TurnModel,
    View,
    skew_of,
    straightened,
    turned_back,
)
from tests.engines.ppocr import typeset


def turned_right(image: np.ndarray, turn: Turn) -> np.ndarray:  # type: ignore[type-arg]
    return np.ascontiguousarray(np.rot90(image, -turn // 90))


@pytest.mark.parametrize("turn", TURNS)
def test_the_network_sees_how_a_scan_lies(networks: Networks, turn: Turn) -> None:
    lying = turned_right(typeset.pixels(typeset.scan()), turn)

    assert TurnModel(networks).candidates(lying)[0] == turn


@pytest.mark.parametrize("turn", TURNS)
def test_turning_back_gives_the_upright_page(turn: Turn) -> None:
    upright = typeset.pixels(typeset.page())

    assert (turned_back(turned_right(upright, turn), turn).image == upright).all()


@pytest.mark.parametrize("turn", TURNS)
def test_boxes_go_back_to_the_page_as_given(turn: Turn) -> None:
    given = np.zeros((60, 100, 3), np.uint8)
    given[10:20, 30:70] = 255
    view = turned_back(given, turn)
    ys, xs = np.nonzero(view.image[:, :, 0])

    rect = view.given(Rect(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))

    assert (rect.x0, rect.y0, rect.x1, rect.y1) == pytest.approx((30, 10, 70, 20))


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

    view, level = straightened(turned_back(image, 0), quads)

    assert skew_of(level) == pytest.approx(0, abs=0.4)
    again = ocr.detect(view.image, longest_side=1280)
    assert skew_of(again) == pytest.approx(0, abs=0.4)


def test_boxes_of_a_straightened_page_go_back_to_the_slope(ocr: Ocr) -> None:
    image = skewed(3.0)
    quads = ocr.detect(image, longest_side=1280)

    view, level = straightened(turned_back(image, 0), quads)

    for before, after in zip(quads, level, strict=True):
        (x0, y0), (x1, y1) = after.min(axis=0), after.max(axis=0)
        rect = view.given(Rect(x0, y0, x1, y1))
        assert rect.x0 <= before[:, 0].min() + 2 and rect.x1 >= before[:, 0].max() - 2
        assert rect.y0 <= before[:, 1].min() + 2 and rect.y1 >= before[:, 1].max() - 2


def test_a_level_page_is_left_alone(ocr: Ocr) -> None:
    view = turned_back(typeset.pixels(typeset.scan()), 0)
    quads = ocr.detect(view.image, longest_side=1280)

    same, _ = straightened(view, quads)

    assert same is view


def test_a_page_without_lines_has_no_slope() -> None:
    assert skew_of([]) == 0.0
    view: View = turned_back(np.zeros((10, 10, 3), np.uint8), 0)
    assert straightened(view, []) == (view, [])
