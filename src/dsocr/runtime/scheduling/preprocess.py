"""A page image to the square views the vision towers take, bit for bit as released (spec 3).

Views stay uint8; they become numbers between -1 and 1 on the device. The bytes equal the released
code's for the same Pillow: its bicubic resize changed in version 13 (spec 3.7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dsocr.runtime.cache.batch import PageViews

PADDING = (127, 127, 127)
UNTILED_SIDE = 640
"""A page no wider and no higher than this gets no tiles; the released code's literal."""
SQUASHED_SIDE = 640
"""Without tiles, views up to this side ignore the aspect ratio; larger ones are padded."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The three numbers of a resolution mode, as the released `infer` takes them."""

    base_size: int
    """Side of the global view where `crop_mode` is on."""
    image_size: int
    """Side of a tile, or of the only view where `crop_mode` is off."""
    crop_mode: bool


def prepare(image: Image.Image, resolution: Resolution, *, max_tiles: int) -> PageViews:
    """An upright RGB image to its views."""
    if not resolution.crop_mode:
        side = resolution.image_size
        view = _resize(image, side, side) if side <= SQUASHED_SIDE else pad(image, side)
        return PageViews(_tensor(view))
    global_view = _tensor(pad(image, resolution.base_size))
    if max(image.size) <= UNTILED_SIDE or max_tiles < 2:
        return PageViews(global_view)
    grid = choose_grid(*image.size, tile=resolution.image_size, max_tiles=max_tiles)
    return PageViews(global_view, cut_tiles(image, grid, tile=resolution.image_size), grid)


def choose_grid(width: int, height: int, *, tile: int, max_tiles: int) -> tuple[int, int]:
    """Tiles wide and tiles high, 2 to `max_tiles` in all: the shape nearest the image's (spec 3.4).

    Of shapes equally near, the larger wins if the image has over half its pixels.
    """
    sides = range(1, max_tiles + 1)
    grids = [(w, h) for w in sides for h in sides if 2 <= w * h <= max_tiles]
    best, best_distance = (1, 1), float("inf")
    for w, h in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        distance = abs(width / height - w / h)
        has_pixels = width * height > 0.5 * tile * tile * w * h
        if distance < best_distance or (distance == best_distance and has_pixels):
            best, best_distance = (w, h), distance
    return best


def cut_tiles(image: Image.Image, grid: tuple[int, int], *, tile: int) -> Tensor:
    """The image stretched over the grid and cut row by row, (W*H, tile, tile, 3)."""
    wide, high = grid
    pixels = _tensor(_resize(image, tile * wide, tile * high))
    rows = pixels.view(high, tile, wide, tile, 3)
    return rows.transpose(1, 2).reshape(wide * high, tile, tile, 3)


def pad(image: Image.Image, side: int) -> Image.Image:
    """The image scaled to fit a grey square, in its middle (spec 3.5; Pillow's `ImageOps.pad`).

    Rounds half to even as Pillow does, but never to nothing: a hair's breadth stays one pixel.
    """
    width, height = image.size
    if width >= height:
        width, height = side, max(1, round(height / width * side))
    else:
        width, height = max(1, round(width / height * side)), side
    canvas = Image.new("RGB", (side, side), PADDING)
    offset = (round((side - width) * 0.5), round((side - height) * 0.5))
    canvas.paste(_resize(image, width, height), offset)
    return canvas


def num_image_tokens(views: PageViews) -> int:
    """Placeholders that the views take in the prompt (spec 2.4)."""
    side = _feature_side(views.global_view.shape[0])
    count = side * (side + 1) + 1
    if views.tiles is not None:
        wide, high = views.grid
        tile = _feature_side(views.tiles.shape[1])
        count += high * tile * (wide * tile + 1)
    return count


def _feature_side(pixels: int) -> int:
    return -(-(pixels // 16) // 4)


def _resize(image: Image.Image, width: int, height: int) -> Image.Image:
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image))  # (H, W, 3) uint8; a copy, Pillow's is read-only
