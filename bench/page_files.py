"""The first page of a file as an engine gets it, without the service around it."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
from PIL import Image, ImageOps

from dsocr.types import PageImage


def page_image(path: Path, *, dpi: float) -> PageImage:
    """Upright and in RGB; a PDF's own text is left out, so that every page is really read."""
    if path.suffix.lower() == ".pdf":
        with pypdfium2.PdfDocument(path) as document:
            image = document[0].render(scale=dpi / 72).to_pil().convert("RGB")
    else:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    return PageImage(0, image, image.width, image.height, dpi)
