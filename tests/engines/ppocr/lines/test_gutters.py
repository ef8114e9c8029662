import numpy as np
from PIL import Image, ImageDraw

from dsocr.engines.ppocr.lines.gutters import separate_overlapping, split_at_gutters


def quad(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def page(gaps_per_row: list[list[int]]) -> np.ndarray:
    """Rows of solid ink 12 pixels high, each with white gaps of 18 pixels."""
    image = Image.new("RGB", (600, 30 * len(gaps_per_row)), "white")
    pen = ImageDraw.Draw(image)
    for row, gaps in enumerate(gaps_per_row):
        pen.rectangle((10, 30 * row + 8, 590, 30 * row + 20), fill="black")
        for x in gaps:
            pen.rectangle((x, 30 * row, x + 17, 30 * row + 30), fill="white")
    return np.asarray(image)


def test_line_across_a_gutter_is_split_in_two() -> None:
    image = page([[291]] * 8)
    parts = split_at_gutters(image, [quad(8, 123, 592, 147)])
    assert len(parts) == 2
    assert parts[0][:, 0].max() < 300 < parts[1][:, 0].min()


def test_blank_between_words_is_no_gutter() -> None:
    image = page([[100 + 40 * row] for row in range(8)])
    assert len(split_at_gutters(image, [quad(8, 123, 592, 147)])) == 1


def test_rule_in_the_gutter_does_not_hide_it() -> None:
    image = page([[291]] * 8).copy()
    image[:, 299:301] = 0
    assert len(split_at_gutters(image, [quad(8, 123, 592, 147)])) == 2


def test_overlapping_boxes_end_at_the_white_between_them() -> None:
    image = page([[291]] * 3)
    left, right = separate_overlapping(image, [quad(8, 33, 306, 57), quad(294, 33, 592, 57)])
    assert left[:, 0].max() < 300 < right[:, 0].min()
    assert left[:, 0].min() == 8 and right[:, 0].max() == 592


def test_boxes_of_different_rows_or_far_apart_stay() -> None:
    quads = [
        quad(8, 3, 306, 27),
        quad(294, 33, 592, 57),
        quad(8, 63, 200, 87),
        quad(400, 63, 592, 87),
    ]
    kept = separate_overlapping(page([[291]] * 3), quads)
    assert all((new == old).all() for new, old in zip(kept, quads, strict=True))


def test_specks_of_a_scan_do_not_hide_a_gutter() -> None:
    image = page([[291]] * 8).copy()
    image[2::7, 293:307:5] = 0
    assert len(split_at_gutters(image, [quad(8, 123, 592, 147)])) == 2
