"""Pictures of noise that are the same in every run, whatever ran before in the process."""

from __future__ import annotations

import random

from PIL import Image


def noise(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """A grey image of uniform noise, as RGB, that depends on nothing but the arguments.

    `Image.effect_noise` draws from the C library's generator, so each of its calls gives another
    image.
    """
    grey = random.Random(seed).randbytes(width * height)
    return Image.frombytes("L", (width, height), grey).convert("RGB")
