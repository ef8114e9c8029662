"""Scans of pages whose words and places are known."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

DPI = 150
_SIZE = (1240, 1754)
_LINES = (
    "The committee reviewed every invoice that arrived",
    "during the autumn quarter and found seventeen",
    "differences between the ledger and the notes.",
    "Most of them were rounding errors, but two",
    "shipments had been counted twice because the",
    "warehouse changed its numbering in October.",
)


class Word(NamedTuple):
    """A word and its box as fractions of the page."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float


def drawn_page() -> tuple[Image.Image, list[Word]]:
    """A page of printed lines, and its words."""
    image = Image.new("RGB", _SIZE, "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(34)
    words: list[Word] = []
    for number, line in enumerate(_LINES * 2):
        x, y = 120.0, 150.0 + 62 * number + 60 * (number // len(_LINES))
        for text in line.split():
            draw.text((x, y), text, font=font, fill=(20, 20, 20))
            x0, y0, x1, y1 = draw.textbbox((x, y), text, font=font)
            words.append(Word(text, x0 / _SIZE[0], y0 / _SIZE[1], x1 / _SIZE[0], y1 / _SIZE[1]))
            x += draw.textlength(text + " ", font=font)
    return image, words


def write_scan(path: Path, *pages: Image.Image) -> Path:
    """The pages as a PDF of images."""
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=DPI, quality=90)
    return path
