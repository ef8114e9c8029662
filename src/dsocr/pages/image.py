"""An image file's frames as upright RGB pages. Runs only in a decoding child.

The colours are what the model was trained on (spec 3.1): Pillow's own conversion to RGB, alpha
dropped and not composited.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pi_heif
from PIL import Image, ImageOps

from dsocr.errors import BadImage, TooManyPixels

Image.init()
pi_heif.register_heif_opener()

_MAX_DRAFT = 8
"""The JPEG decoder can read an image at 1/2, 1/4 or 1/8 of its size for less than the price."""


class ImageFile:
    """One opened image file: all pages of a TIFF, the first frame of an animation."""

    def __init__(self, path: Path, *, decoder: str, max_pixels: int) -> None:
        self._path = path
        self._max_pixels = max_pixels
        # Pillow's own guard is the second line; ours below comes first and knows about drafts
        Image.MAX_IMAGE_PIXELS = max_pixels * (_MAX_DRAFT**2 if decoder == "JPEG" else 1)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            self._image = Image.open(path, formats=[decoder])
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise TooManyPixels(_too_many(None, max_pixels)) from error
        self._fit()
        self.num_pages = getattr(self._image, "n_frames", 1) if decoder == "TIFF" else 1

    def page(self, index: int) -> tuple[Image.Image, float | None]:
        """The upright RGB image and its dots per inch, where the file tells them."""
        if self._image.tell() != index:
            self._image.seek(index)
        self._fit()
        upright = _upright(self._image)
        return _to_rgb(upright), _dpi(self._image)

    def close(self) -> None:
        self._image.close()

    def _fit(self) -> None:
        """Before a pixel is decoded: a JPEG over the cap is read smaller, others are refused."""
        width, height = self._image.size
        if width < 1 or height < 1:
            raise BadImage("The image has no pixels.")
        if width * height <= self._max_pixels:
            return
        for divisor in (2, 4, _MAX_DRAFT):
            if width * height <= self._max_pixels * divisor**2:
                self._image.draft(self._image.mode, (width // divisor, height // divisor))
                break
        if self._image.width * self._image.height > self._max_pixels:
            raise TooManyPixels(_too_many((width, height), self._max_pixels))


def _too_many(size: tuple[int, int] | None, max_pixels: int) -> str:
    has = f"is {size[0]} x {size[1]} pixels" if size else "has more pixels than that"
    return f"At most {max_pixels / 1e6:g} megapixels are read; the image {has}."


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says. Broken EXIF turns nothing (as the released code falls back)."""
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:
        image.load()  # broken pixels still are an error
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Alpha dropped as the model saw it, unless all there is to see is in the alpha channel."""
    rgb = image.convert("RGB")
    if not image.has_transparency_data or not _one_colour(rgb):
        return rgb
    alpha = image.convert("RGBA").getchannel("A")
    if _one_colour(alpha):
        return rgb
    ink = rgb.convert("L").getpixel((0, 0))
    paper = "white" if isinstance(ink, int) and ink < 128 else "black"
    page = Image.new("RGB", rgb.size, paper)
    page.paste(rgb, mask=alpha)
    return page


def _one_colour(image: Image.Image) -> bool:
    extrema = image.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(low == high for low, high in bands)


def _dpi(image: Image.Image) -> float | None:
    value = image.info.get("dpi")
    try:
        dpi = float(value[0])  # type: ignore[index]
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return dpi if 1 < dpi < 10_000 else None
