"""Pages typeset for tests, with Pillow's own font: no file, no system font."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dsocr.engines.ppocr.networks.ocr import Pixels
from dsocr.types import Box, PageImage, TextLine

SCAN = Path(__file__).parents[2] / "data" / "pages" / "phototest.tif"
SCAN_WORDS = "This is a lot of 12 point text to test the ocr code"
FOX = (
    "The quick brown fox jumps over the lazy dog",
    "while seven wizards mix a jar of vinegar",
    "and nobody counts 12,345 sheep at night",
    "before the morning train to Lisbon leaves",
)
_SIZE = 26
_LEFT, _TOP, _STEP = 60, 60, 44


def page(
    lines: Sequence[str] = FOX, *, size: tuple[int, int] = (760, 420), index: int = 0
) -> PageImage:
    """Black lines on white, one below the other."""
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_SIZE)
    for number, line in enumerate(lines):
        draw.text((_LEFT, _TOP + number * _STEP), line, fill="black", font=font)
    return of(picture, index=index)


def of(picture: Image.Image, *, index: int = 0) -> PageImage:
    return PageImage(index, picture, *picture.size)


def scan() -> PageImage:
    with Image.open(SCAN) as picture:
        return of(picture.convert("RGB"))


def pixels(page_image: PageImage) -> Pixels:
    return np.asarray(page_image.image)


def layer(lines: Sequence[str] = FOX, *, size: tuple[int, int] = (760, 420)) -> list[TextLine]:
    """The text layer that a PDF with the lines of `page` would have."""
    font = ImageFont.load_default(_SIZE)
    width, height = size
    boxes = []
    for number, line in enumerate(lines):
        x0, y0, x1, y1 = font.getbbox(line)
        top = _TOP + number * _STEP
        box = Box(
            (_LEFT + x0) / width, (top + y0) / height, (_LEFT + x1) / width, (top + y1) / height
        )
        boxes.append(TextLine(line, box))
    return boxes
