"""A page image to the square views of the vision towers, byte for byte as released (spec 3).

Views stay uint8; they are normalized on the device. The bytes equal the released code's for the
same Pillow: its bicubic resize changed in version 13 (spec 3.7).
"""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from dsocr.runtime.cache.batch import PageViews
from dsocr.runtime.scheduling.pixels import square_tiles
from dsocr.runtime.spec import Resolution, ViewSpec

PADDING = (127, 127, 127)


def prepare(
    image: Image.Image, resolution: Resolution, spec: ViewSpec, *, max_tiles: int | None = None
) -> PageViews:
    """The views of an upright RGB image. `max_tiles` None: the spec's."""
    max_tiles = spec.allowed_tiles(max_tiles)
    if not resolution.crop_mode:
        side = resolution.image_size
        view = _resize(image, side, side) if side <= spec.squashed_side else pad(image, side)
        return PageViews(_view(view))
    global_view = _view(pad(image, resolution.base_size))
    if max(image.size) <= spec.untiled_side or max_tiles < 2:
        return PageViews(global_view)
    grid = choose_grid(*image.size, tile=resolution.image_size, max_tiles=max_tiles)
    return PageViews(global_view, cut_tiles(image, grid, tile=resolution.image_size), grid)


def gray_view(side: int) -> Tensor:
    """A view without content, (side, side, 3)."""
    return torch.full((side, side, 3), PADDING[0], dtype=torch.uint8)


def choose_grid(width: int, height: int, *, tile: int, max_tiles: int) -> tuple[int, int]:
    """Tiles wide and tiles high, 2 to `max_tiles` in all: the grid whose aspect ratio is
    nearest the image's (spec 3.4).

    Of grids equally near, the larger is taken if the image has over half its pixels.
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
    return square_tiles(_resize(image, tile * wide, tile * high), grid)


def pad(image: Image.Image, side: int) -> Image.Image:
    """The image scaled to fit a gray square and centered (spec 3.5; Pillow's `ImageOps.pad`).

    Rounds half to even as Pillow does, but to no less than one pixel.
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


def _resize(image: Image.Image, width: int, height: int) -> Image.Image:
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _view(image: Image.Image) -> Tensor:
    """A square image, (S, S, 3) uint8."""
    return square_tiles(image, (1, 1))[0]
