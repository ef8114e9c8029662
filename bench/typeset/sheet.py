"""A page of typeset text, lines and areas: as a PDF, or as a picture that pdfium renders of it.

Positions are in points from the top left corner; the fonts are those that every PDF viewer has.
"""

from __future__ import annotations

import ctypes
import functools
import math
import zlib
from collections.abc import Sequence
from typing import Literal

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from bench.service.documents.pdf_writer import A4, FLATE, PdfWriter

Colour = tuple[float, float, float]
Anchor = Literal["l", "m", "r"]
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (1, 1, 1)
SANS, SERIF, MONO, BOLD = "Helvetica", "Times-Roman", "Courier", "Helvetica-Bold"
FONTS = (SANS, SERIF, MONO, BOLD, "Times-Bold", "Times-Italic", "Courier-Bold", "Helvetica-Oblique")


class Sheet:
    """One page; `pdf` and `picture` give what was put on it."""

    def __init__(self, width: float = A4[0], height: float = A4[1]) -> None:
        self.width, self.height = width, height
        self.operators: list[str] = []
        self.resources = "/ExtGState << /Multiply << /BM /Multiply >> /Clear << /ca 0 >> >>"
        self.fonts: dict[str, str] = {}
        """Name -> a font dictionary's further entries, for fonts beside `FONTS`."""
        self.image: Image.Image | None = None
        """Covers the whole page, under everything else."""
        self.page_entries = ""
        self.catalog = ""
        self.objects: list[str] = []
        """Objects that entries refer to: the first has the number 2."""

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 11,
        font: str = SANS,
        colour: Colour = BLACK,
        anchor: Anchor = "l",
        angle: float = 0,
        mode: int = 0,
    ) -> float:
        """Words on the baseline y, turned to the left by `angle` degrees. Returns their width."""
        width = width_of(words, size, font)
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        back = {"l": 0.0, "m": width / 2, "r": width}[anchor]
        x0, y0 = x - back * cosine, self.height - y - back * sine
        matrix = f"{cosine:.5f} {sine:.5f} {-sine:.5f} {cosine:.5f} {x0:.2f} {y0:.2f}"
        code = words.encode("cp1252").hex()
        self.operators.append(
            f"{_numbers(colour)} rg BT /{font} {size:g} Tf {mode} Tr {matrix} Tm <{code}> Tj ET"
        )
        return width

    def paragraph(
        self, x: float, y: float, width: float, words: str, *, size: float = 11, font: str = SANS
    ) -> float:
        """Running text, wrapped at the width. Returns the baseline of the line after it."""
        for line in wrapped(words, width, size, font):
            self.text(x, y, line, size=size, font=font)
            y += 1.35 * size
        return y

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        *,
        fill: Colour | None = None,
        outline: Colour | None = None,
        width: float = 1,
    ) -> None:
        area = f"{x0:.2f} {self.height - y1:.2f} {x1 - x0:.2f} {y1 - y0:.2f} re"
        if fill is not None:
            self.operators.append(f"{_numbers(fill)} rg {area} f")
        if outline is not None:
            self.operators.append(f"{_numbers(outline)} RG {width:g} w {area} S")

    def line(
        self, points: Sequence[tuple[float, float]], *, width: float = 1, colour: Colour = BLACK
    ) -> None:
        path = " ".join(
            f"{x:.2f} {self.height - y:.2f} {'l' if place else 'm'}"
            for place, (x, y) in enumerate(points)
        )
        self.operators.append(f"{_numbers(colour)} RG {width:g} w {path} S")

    def pdf(self) -> bytes:
        writer = PdfWriter()
        for body in self.objects:
            writer.add(body.encode("latin-1"))
        resources = f"{self.resources} /Font << {self._font_entries()} >>"
        operators = list(self.operators)
        if self.image is not None:
            resources += f" /XObject << /Scan {_add_image(writer, self.image)} 0 R >>"
            operators.insert(0, f"q {self.width:g} 0 0 {self.height:g} 0 0 cm /Scan Do Q")
        stream = zlib.compress("\n".join(operators).encode("latin-1"))
        size = (self.width, self.height)
        writer.add_page(stream, resources, size=size, entries=self.page_entries)
        return writer.content(self.catalog)

    def picture(self, dpi: float = 150) -> Image.Image:
        return render(self.pdf(), dpi)

    def _font_entries(self) -> str:
        standard = {name: "/Encoding /WinAnsiEncoding" for name in FONTS}
        return " ".join(
            f"/{name} << /Type /Font /Subtype /Type1 /BaseFont /{_base(name)} {entries} >>"
            for name, entries in (standard | self.fonts).items()
        )


def render(pdf: bytes, dpi: float) -> Image.Image:
    """The first page in RGB."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        picture: Image.Image = document[0].render(scale=dpi / 72).to_pil()
        return picture.convert("RGB")
    finally:
        document.close()


def wrapped(words: str, width: float, size: float, font: str = SANS) -> list[str]:
    """The lines of running text."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, size, font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def width_of(words: str, size: float, font: str = SANS) -> float:
    """In points."""
    return sum(_advance(letter, _base(font)) for letter in words) * size / 1000


@functools.cache
def _advance(letter: str, font: str) -> float:
    document = pypdfium2.PdfDocument.new()
    loaded = pdfium.FPDFText_LoadStandardFont(document.raw, font.encode())
    width = ctypes.c_float()
    pdfium.FPDFFont_GetGlyphWidth(loaded, ord(letter), 1000.0, ctypes.byref(width))
    pdfium.FPDFFont_Close(loaded)
    document.close()
    return width.value


def _base(font: str) -> str:
    """A font with a name of its own, such as `Helvetica.map`, looks like the one before the dot."""
    return font.partition(".")[0]


def _add_image(writer: PdfWriter, image: Image.Image) -> int:
    space, bits = {"L": ("DeviceGray", 8), "1": ("DeviceGray", 1), "RGB": ("DeviceRGB", 8)}[
        image.mode
    ]
    entries = (
        f"/Type /XObject /Subtype /Image /Width {image.width} /Height {image.height} "
        f"/ColorSpace /{space} /BitsPerComponent {bits} {FLATE}"
    )
    return writer.add_stream(zlib.compress(image.tobytes()), entries)


def _numbers(colour: Colour) -> str:
    return " ".join(f"{part:.3f}" for part in colour)
