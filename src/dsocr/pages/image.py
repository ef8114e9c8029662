"""An image file's frames as upright RGB pages. Runs only in a decoding process.

Colours are as in training (spec 3.1): Pillow's own conversion to RGB, with alpha dropped and not
composited.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image, ImageChops, ImageOps

from dsocr.errors import BadImage, TooManyPages, TooManyPixels
from dsocr.pages.deep_grey import DEEP_MODES, is_inverted, to_grey
from dsocr.types import PageImage

MAX_FRAMES = 10_000
"""Of a TIFF. A file with an endless chain of frames is small, but following it never ends."""
_MAX_DRAFT = 8
"""The JPEG decoder can decode an image at 1/2, 1/4 or 1/8 of its size, at lower cost."""
_SAME_COLOUR = 8
"""Levels by which the stored values of one ink colour may differ: programs round."""


class ImageFile:
    """One opened image file: all pages of a TIFF, the first frame of an animation."""

    def __init__(self, path: Path, *, decoder: str, max_pixels: int) -> None:
        self._path = path
        self._max_pixels = max_pixels
        self._shrunk = 1.0
        if decoder == "HEIF":
            import pi_heif  # only here: importing it takes time

            pi_heif.register_heif_opener()
        # Pillow's own check comes second; `_fit` below comes first and handles drafts
        Image.MAX_IMAGE_PIXELS = max_pixels * (_MAX_DRAFT**2 if decoder == "JPEG" else 1)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            self._image = Image.open(path, formats=[decoder])
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise TooManyPixels(_too_many(None, max_pixels)) from error
        self._fit()
        self.num_pages = self._count_frames() if decoder == "TIFF" else 1

    def render_page(self, index: int, *, dpi: float | None) -> PageImage:
        """The frame upright and in RGB, at its own size: `dpi` applies to PDFs only."""
        if self._image.tell() != index:
            self._image.seek(index)
        self._fit()
        # Before any call that suppresses errors: when a broken TIFF is loaded a second time,
        # Pillow returns a black page.
        self._image.load()
        own_dpi = _dpi(self._image)
        image = _to_rgb(_upright(self._image), inverted=is_inverted(self._image))
        return PageImage(
            index, image, image.width, image.height, dpi=own_dpi and own_dpi * self._shrunk
        )

    def close(self) -> None:
        self._image.close()

    def _count_frames(self) -> int:
        """A frame that cannot be reached counts as one: it is reported when it is rendered."""
        count = 1
        while True:
            try:
                self._image.seek(count)
            except EOFError:
                break
            except Exception:
                count += 1
                break
            count += 1
            if count > MAX_FRAMES:
                raise TooManyPages(f"At most {MAX_FRAMES:,} frames of a TIFF are read.")
        self._image.seek(0)
        return count

    def _fit(self) -> None:
        """Before pixels are decoded: reduces a JPEG over the limit, refuses other formats."""
        width, height = self._image.size
        if width < 1 or height < 1:
            raise BadImage("The image has no pixels.")
        if width * height <= self._max_pixels:
            return
        for divisor in (2, 4, _MAX_DRAFT):
            if width * height <= self._max_pixels * divisor**2:
                self._image.draft(self._image.mode, (width // divisor, height // divisor))
                self._shrunk = self._image.width / width
                break
        if self._image.width * self._image.height > self._max_pixels:
            raise TooManyPixels(_too_many((width, height), self._max_pixels))


def _too_many(size: tuple[int, int] | None, max_pixels: int) -> str:
    has = f"is {size[0]} x {size[1]} pixels" if size else "has more pixels than that"
    return f"At most {max_pixels / 1e6:g} megapixels are read; the image {has}."


def _upright(image: Image.Image) -> Image.Image:
    """Rotated by its EXIF orientation; with broken EXIF unchanged, as in the released code."""
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:
        return image


def _to_rgb(image: Image.Image, *, inverted: bool) -> Image.Image:
    """Alpha dropped as in training, unless the text would disappear.

    Where all visible pixels have one colour and transparent pixels are stored in that colour too,
    the page is illegible without its alpha. Only then it is composited.
    """
    if image.mode in DEEP_MODES:
        image = to_grey(image, inverted=inverted)
    rgb = image.convert("RGB")
    if not image.has_transparency_data:
        return rgb
    alpha = image.convert("RGBA").getchannel("A")
    ink = _ink_without_contrast(rgb, alpha)
    if ink is None:
        return rgb
    page = Image.new("RGB", rgb.size, "white" if sum(ink) < 3 * 128 else "black")
    page.paste(rgb, mask=alpha)
    return page


def _ink_without_contrast(rgb: Image.Image, alpha: Image.Image) -> tuple[int, ...] | None:
    """The one colour of all visible pixels, if transparent pixels have it too; else None."""
    visible = alpha.point([0] + [255] * 255)
    if visible.getextrema() != (0, 255):
        return None
    ink = []
    for band in rgb.split():
        levels = [level for level, count in enumerate(band.histogram(visible)) if count]
        if levels[-1] - levels[0] > _SAME_COLOUR:
            return None
        ink.append(levels[0])
    alike = ImageChops.invert(visible)
    for band, level in zip(rgb.split(), ink, strict=True):
        near = [255 * (0 <= stored - level <= _SAME_COLOUR) for stored in range(256)]
        alike = ImageChops.darker(alike, band.point(near))
    return tuple(ink) if alike.getbbox() else None


def _dpi(image: Image.Image) -> float | None:
    value = image.info.get("dpi")
    try:
        dpi = float(value[0])  # type: ignore[index]
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return dpi if 1 < dpi < 10_000 else None
