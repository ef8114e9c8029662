"""Pixels of an image as a tensor, whatever way Pillow holds them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from dsocr.runtime.scheduling.pixels import square_tiles


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("grid", [(1, 1), (2, 3), (3, 1)])
def test_tiles_are_the_parts_of_the_image_row_by_row(grid: tuple[int, int]) -> None:
    wide, high = grid
    pixels = noise(40 * wide, 40 * high)

    tiles = square_tiles(Image.fromarray(pixels), grid)

    assert tiles.shape == (wide * high, 40, 40, 3) and tiles.dtype == torch.uint8
    for number, tile in enumerate(tiles):
        row, column = divmod(number, wide)
        part = pixels[40 * row : 40 * (row + 1), 40 * column : 40 * (column + 1)]
        assert np.array_equal(tile.numpy(), part)


def test_an_image_in_several_parts_of_memory_is_copied_as_a_whole() -> None:
    size = Image.core.get_block_size()
    Image.core.set_block_size(4096)
    try:
        image = Image.fromarray(noise(64, 64))
        with pytest.raises(ValueError):
            image.__arrow_c_array__()
        tiles = square_tiles(image, (1, 1))
    finally:
        Image.core.set_block_size(size)
    assert np.array_equal(tiles[0].numpy(), noise(64, 64))


def test_tiles_outlive_the_image() -> None:
    tiles = square_tiles(Image.fromarray(noise(64, 64)), (1, 1))
    others = [Image.new("RGB", (64, 64)) for _ in range(50)]  # would reuse the memory
    assert len(others) == 50 and np.array_equal(tiles[0].numpy(), noise(64, 64))
