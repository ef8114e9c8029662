"""Pictures of pages: lines of grey words on grained paper, no two the same. Needs no torch."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 1200, 1600


@cache
def _paper() -> Any:
    return np.random.default_rng(0).integers(235, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def page_picture(number: int) -> Image.Image:
    """The picture of that number; the same whenever it is drawn."""
    dice = np.random.default_rng(number)
    picture = Image.fromarray(np.roll(_paper(), 4999 * number))
    draw = ImageDraw.Draw(picture)
    for y in range(100, 1500, 28):
        x = 100
        while x < 1050:
            width = int(dice.integers(20, 110))
            draw.rectangle((x, y, x + width, y + 14), fill=(int(dice.integers(0, 90)),) * 3)
            x += width + 14
    return picture
