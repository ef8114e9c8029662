"""A page's picture as an image object of a PDF. JPEG and PNG data is taken over as it is."""

from __future__ import annotations

import dataclasses
import io
import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from dsocr.exports import Assets
from dsocr.types import PageImage, SourcePage

log = logging.getLogger(__name__)

Matrix = tuple[int, int, int, int, int, int]

_LOSSY = frozenset({"image/webp", "image/heic", "image/avif", "application/pdf"})
"""Their pages become JPEG: without loss they would be many times larger."""
_PNG = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112
_PLACES: dict[int, Matrix] = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
"""EXIF orientation -> where the stored picture stands on the upright page, as a unit square."""
_TURNS = {90: 6, 180: 3, 270: 8}
"""Degrees clockwise -> the EXIF orientation that turns so."""
_SPACES = {
    "L": (b"/DeviceGray", b"GRAY", 1),
    "RGB": (b"/DeviceRGB", b"RGB ", 3),
    "CMYK": (b"/DeviceCMYK", b"CMYK", 4),
}
_GREY, _TRUE_COLOUR, _PALETTE = 0, 2, 3
_METRE_IN_INCHES = 0.0254


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture. Sizes are of the upright page."""

    width: int
    height: int
    entries: bytes
    """Of the image's dictionary; without its colour space."""
    data: bytes = field(repr=False)
    space: bytes
    """Its colour space as a PDF object, used if there is no profile."""
    profile: bytes | None = field(default=None, repr=False)
    """An ICC profile that fits the colour space."""
    place: Matrix = _PLACES[1]
    dpi: float | None = None


def page_picture(index: int, source: SourcePage | None, assets: Assets) -> Picture:
    """The upright page. Raises `DsocrError` if it cannot be rendered."""
    if source is not None and source.media_type not in _LOSSY:
        stored = _stored_picture(source)
        return (
            _turned(stored, source.rotation)
            if stored
            else _pixels_as_png(assets.page_pixels(index))
        )
    content = assets.page_image(index)
    picture = jpeg_picture(content) or png_picture(content)
    if picture is None:
        raise ValueError("a page image that is neither JPEG nor PNG")
    return picture


def _turned(picture: Picture, rotation: int) -> Picture:
    """Turned clockwise by degrees: the stored data is placed in another way."""
    if not rotation:
        return picture
    size = (picture.width, picture.height) if rotation == 180 else (picture.height, picture.width)
    a, b, c, d, e, f = picture.place
    ta, tb, tc, td, te, tf = _PLACES[_TURNS[rotation]]
    place = (
        *(ta * a + tc * b, tb * a + td * b, ta * c + tc * d, tb * c + td * d),
        *(ta * e + tc * f + te, tb * e + td * f + tf),
    )
    return dataclasses.replace(picture, width=size[0], height=size[1], place=place)


def _stored_picture(source: SourcePage) -> Picture | None:
    try:
        if source.media_type == "image/jpeg":
            return jpeg_picture(source.path.read_bytes())
        if source.media_type == "image/png":
            return png_picture(source.path.read_bytes())
    except OSError as error:
        log.info("a page's file cannot be put into a PDF: %s", error)
    return None


def jpeg_picture(content: bytes) -> Picture | None:
    """A JPEG file as it is; None for another file, or a kind of JPEG that PDF does not know."""
    try:
        image = Image.open(io.BytesIO(content), formats=["JPEG"])  # reads no pixels
        orientation = image.getexif().get(_ORIENTATION, 1)
    # Pillow raises many errors at broken headers. The page is then taken as it was rendered.
    except Exception:
        return None
    if image.mode not in _SPACES:
        return None
    space, signature, components = _SPACES[image.mode]
    place = _PLACES.get(orientation, _PLACES[1])
    width, height = image.size if place[0] else image.size[::-1]
    entries = b"/BitsPerComponent 8 /Filter /DCTDecode"
    if image.mode == "CMYK" and "adobe" in image.info:  # stored inverted
        entries += b" /Decode [1 0 1 0 1 0 1 0]"
    return Picture(
        width,
        height,
        entries + b" /Width %d /Height %d" % image.size,
        content,
        space,
        _fitting_profile(image.info.get("icc_profile"), signature, components),
        place,
        _stated_dpi(image),
    )


def _fitting_profile(profile: object, signature: bytes, components: int) -> bytes | None:
    if isinstance(profile, bytes) and len(profile) > 128 and profile[16:20] == signature:
        return b"%d\n" % components + profile
    return None


def _stated_dpi(image: Image.Image) -> float | None:
    found = image.info.get("dpi")
    return float(found[0]) if isinstance(found, tuple) and found[0] else None


def png_picture(content: bytes) -> Picture | None:
    """A PNG file's compressed rows as they are; None for another file, and for what a PDF image
    has no equal of: transparency and interlaced rows."""
    if not content.startswith(_PNG):
        return None
    chunks = list(_chunks(content))
    kinds = {kind for kind, _ in chunks}
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13 or b"tRNS" in kinds:
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    space = _png_space(colour, chunks)
    if space is None or interlaced:
        return None
    colours = 3 if colour == _TRUE_COLOUR else 1
    entries = b"/Width %d /Height %d /BitsPerComponent %d /Filter /FlateDecode" % (
        *(width, height, depth),
    ) + b" /DecodeParms << /Predictor 15 /Colors %d /BitsPerComponent %d /Columns %d >>" % (
        *(colours, depth, width),
    )
    data = b"".join(data for kind, data in chunks if kind == b"IDAT")
    return Picture(width, height, entries, data, space, dpi=_png_dpi(chunks))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at + 8 : at + 8 + length]
        at += length + 12


def _png_space(colour: int, chunks: list[tuple[bytes, bytes]]) -> bytes | None:
    if colour == _GREY:
        return b"/DeviceGray"
    if colour == _TRUE_COLOUR:
        return b"/DeviceRGB"
    palette = next((data for kind, data in chunks if kind == b"PLTE"), b"")
    if colour != _PALETTE or not palette or len(palette) % 3:
        return None
    last = len(palette) // 3 - 1
    return b"[/Indexed /DeviceRGB %d <%b>]" % (last, palette.hex().encode())


def _png_dpi(chunks: list[tuple[bytes, bytes]]) -> float | None:
    data = next((data for kind, data in chunks if kind == b"pHYs" and len(data) == 9), None)
    if data is None:
        return None
    per_unit, _, unit = struct.unpack(">IIB", data)
    return per_unit * _METRE_IN_INCHES if unit == 1 and per_unit else None


def _pixels_as_png(page: PageImage) -> Picture:
    out = io.BytesIO()
    dpi = (page.dpi, page.dpi) if page.dpi else None
    _with_fewest_bits(page.image).save(out, "PNG", **({"dpi": dpi} if dpi else {}))
    picture = png_picture(out.getvalue())
    assert picture is not None
    return picture


def _with_fewest_bits(image: Image.Image) -> Image.Image:
    """Black and white in one bit a pixel and grey in eight, without loss."""
    red, green, blue = image.split()
    if red.tobytes() != green.tobytes() or red.tobytes() != blue.tobytes():
        return image
    if any(red.histogram()[1:-1]):
        return red
    return red.convert("1", dither=Image.Dither.NONE)
