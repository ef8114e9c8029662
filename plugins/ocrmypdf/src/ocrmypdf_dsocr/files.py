"""Page images on their way to an engine, and the files that are made of what it read."""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pikepdf
from PIL import Image

from dsocr.exports import render
from dsocr.exports.pdf.pages import PageWriter
from dsocr.exports.pdf.text_layer import FONT, all_text
from dsocr.types import Document

MAX_UPLOAD_BYTES = 10 << 20
"""A larger image is sent as JPEG: a service takes 15 MiB unless it is set otherwise."""
MAX_UPLOAD_PIXELS = 50_000_000
JPEG_QUALITY = 92
_DPI, _POINTS = 72.0, 72.0


def image_size(image: Path) -> tuple[int, int]:
    """Width and height in pixels."""
    with Image.open(image) as opened:
        return opened.width, opened.height


@contextmanager
def smaller_image(image: Path, max_pixels: int) -> Iterator[Path]:
    """The image, or a copy with so many pixels at most that lasts as long as the block."""
    width, height = image_size(image)
    if width * height <= max_pixels:
        yield image
        return
    with tempfile.TemporaryDirectory(prefix="dsocr-") as folder:
        path = Path(folder) / "page.png"
        _shrunk(image, max_pixels).save(path)
        yield path


def upload_of(image: Path) -> tuple[str, bytes]:
    """Name and content of the image as it is sent to a service."""
    width, height = image_size(image)
    if image.stat().st_size <= MAX_UPLOAD_BYTES and width * height <= MAX_UPLOAD_PIXELS:
        return image.name, image.read_bytes()
    out = io.BytesIO()
    _shrunk(image, MAX_UPLOAD_PIXELS).save(out, "JPEG", quality=JPEG_QUALITY)
    return f"{image.stem}.jpg", out.getvalue()


def hocr_of(document: Document) -> bytes:
    return render(document, "hocr")


def text_of(document: Document) -> str:
    return render(document, "text").decode()


def text_layer_of(document: Document, image: Path) -> bytes:
    """A PDF of the size of the image that has its words, invisible, and nothing else."""
    [page] = document.pages
    with Image.open(image) as opened:
        across, down = opened.info.get("dpi", (_DPI, _DPI))
        width, height = (opened.width * _POINTS / across, opened.height * _POINTS / down)
    out = io.BytesIO()
    writer = PageWriter(out)
    writer.add_text(width, height, all_text(document, page))
    writer.finish("text")
    return _named_for_ocrmypdf(out)


def _named_for_ocrmypdf(layer: io.BytesIO) -> bytes:
    """The layer with the font name that OCRmyPDF takes over from it, and with a content: it reads
    that of an empty page too. Texts are hexadecimal, so only the font is replaced."""
    name = b"/" + FONT + b" "
    with pikepdf.open(layer) as pdf:
        page = pdf.pages[0]
        content = page.Contents.read_bytes() if "/Contents" in page else b""
        page.Contents = pdf.make_stream(content.replace(name, b"/F1 "))
        page.Resources = pikepdf.Dictionary(
            Font=pikepdf.Dictionary(F1=page.Resources.Font["/" + FONT.decode()])
        )
        out = io.BytesIO()
        pdf.save(out)
        return out.getvalue()


def _shrunk(image: Path, max_pixels: int) -> Image.Image:
    """As RGB, with so many pixels at most."""
    with Image.open(image) as opened:
        scale = min(1.0, math.sqrt(max_pixels / (opened.width * opened.height)))
        size = (max(1, int(opened.width * scale)), max(1, int(opened.height * scale)))
        whole: Image.Image = opened.convert("RGB")
    return whole if scale == 1 else whole.resize(size, Image.Resampling.LANCZOS)
