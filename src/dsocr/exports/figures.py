"""Figures are cropped from the page image by their boxes when a file is made, never stored."""

from __future__ import annotations

import io

from PIL import Image

from dsocr.exports import Assets
from dsocr.types import FIGURE_LABEL, Box, PageResult, figure_path

JPEG_QUALITY = 90


def figure_boxes(page: PageResult) -> dict[str, Box]:
    """The box of each figure, by the path that the page's markdown links."""
    boxes = [box for block in page.blocks if block.label == FIGURE_LABEL for box in block.boxes]
    return {figure_path(page.index, number): box for number, box in enumerate(boxes)}


def crop_figures(page: PageResult, assets: Assets | None) -> dict[str, bytes]:
    """The page's figures as JPEG files by path; the page is decoded once, and only if needed."""
    boxes = figure_boxes(page)
    if not boxes or assets is None:
        return {}
    with Image.open(io.BytesIO(assets.page_image(page.index))) as opened:
        image = opened.convert("RGB")
    return {path: _crop(image, box) for path, box in boxes.items()}


def _crop(image: Image.Image, box: Box) -> bytes:
    left, top, right, bottom = box.pixels(image.width, image.height)
    # A box thinner than a pixel becomes one row or column of pixels.
    left, top = min(left, image.width - 1), min(top, image.height - 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    out = io.BytesIO()
    image.crop((left, top, right, bottom)).save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
