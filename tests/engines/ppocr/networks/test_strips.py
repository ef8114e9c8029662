"""Strips for the recognition network, and their batches."""

from __future__ import annotations

import numpy as np

from dsocr.engines.ppocr.networks.strips import Strip, batches_of, strip_of


def strips(*widths: int) -> list[Strip]:
    """Of 48 rows of white, numbered in this order."""
    return [
        strip_of(index, np.full((48, width, 3), 255, np.uint8), 1.0)
        for index, width in enumerate(widths)
    ]


def test_a_strip_is_filled_up_with_grey_to_a_multiple_of_32() -> None:
    [strip] = strips(100)

    assert strip.pixels.shape == (1, 48, 128, 3)
    assert strip.share == 100 / 128
    assert (strip.pixels[:, :, :100] == 255).all() and (strip.pixels[:, :, 100:] == 127).all()


def test_four_small_strips_of_one_width_are_a_batch_and_others_stand_alone() -> None:
    batches = list(batches_of(strips(100, 640, 120, 60, 110, 640, 105, 125)))

    numbers = [[strip.place for strip in batch] for batch in batches]
    assert numbers == [[3], [0, 2, 4, 6], [7], [1], [5]]


def test_wide_strips_stand_alone() -> None:
    batches = list(batches_of(strips(640, 640, 640, 640)))

    assert [len(batch) for batch in batches] == [1, 1, 1, 1]
