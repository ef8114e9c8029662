"""Born-digital pages as programs print them: kerned text in an embedded font, a ruled table, a
chart and a drawing of Bézier curves. Thousands of operators a page; every page differs."""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Iterator, Sequence

from PIL import ImageFont

from bench.service.documents.pdf_writer import A4, FLATE, PdfWriter

WIDTH, HEIGHT = A4
MARGIN = 48.0
SYLLABLES = (
    *("ka", "lo", "mi", "ter", "ran", "sol", "den", "vi"),
    *("pro", "con", "es", "ti", "al", "ber", "un", "gra"),
)
FIRST, LAST = 32, 126
"""Characters of the font that pages use."""

Operators = list[str]


def born_digital_pdf(pages: Sequence[bytes]) -> bytes:
    """A PDF of these pages, each the compressed content stream of `compressed_page`."""
    writer = PdfWriter()
    resources = f"/Font << /F1 {_add_font(writer)} 0 R >> /ExtGState << /G1 << /ca 0.4 >> >>"
    for page in pages:
        writer.add_page(page, resources)
    return writer.content()


def compressed_page(number: int) -> bytes:
    """The page of that number; the same whenever it is made."""
    return zlib.compress(page_operators(number))


def page_operators(number: int) -> bytes:
    """The content stream of one page. Some pages have twice the paths of others."""
    dice = random.Random(number)
    share = dice.uniform(0.6, 1.6)
    out: Operators = []
    _heading(out, dice)
    _columns(out, dice, top=HEIGHT - 90, lines=22)
    _table(out, dice, top=HEIGHT - 345, rows=12)
    _chart(out, dice, (MARGIN, 70, 245, 240), points=round(650 * share))
    _drawing(out, dice, (310, 70, 235, 240), shapes=round(620 * share))
    return "\n".join(out).encode("latin-1")


def _add_font(writer: PdfWriter) -> int:
    """Pillow's own outline font, embedded whole."""
    font = ImageFont.load_default(100)
    assert isinstance(font, ImageFont.FreeTypeFont)
    data = font.font_bytes
    file = writer.add_stream(zlib.compress(data), f"/Length1 {len(data)} {FLATE}")
    descriptor = writer.add(
        b"<< /Type /FontDescriptor /FontName /BenchSans /Flags 32 /FontBBox [-200 -300 1200 1000] "
        b"/ItalicAngle 0 /Ascent 900 /Descent -250 /CapHeight 700 /StemV 80 "
        b"/FontFile2 %d 0 R >>" % file
    )
    widths = " ".join(f"{10 * font.getlength(chr(code)):.0f}" for code in range(FIRST, LAST + 1))
    body = (
        "<< /Type /Font /Subtype /TrueType /BaseFont /BenchSans /Encoding /WinAnsiEncoding "
        f"/FirstChar {FIRST} /LastChar {LAST} /Widths [{widths}] "
        f"/FontDescriptor {descriptor} 0 R >>"
    )
    return writer.add(body.encode())


def _heading(out: Operators, dice: random.Random) -> None:
    _text(out, MARGIN, HEIGHT - 62, 17, " ".join(_words(dice, 5)).title())
    out.append(
        f"0.8 w 0.1 0.2 0.5 RG {MARGIN} {HEIGHT - 72:.2f} m {WIDTH - MARGIN:.2f} "
        f"{HEIGHT - 72:.2f} l S"
    )


def _columns(out: Operators, dice: random.Random, *, top: float, lines: int) -> None:
    """Two columns of lines, each one array of kerned pieces."""
    for left in (MARGIN, WIDTH / 2 + 8):
        for line in range(lines):
            pieces = [f"({word} ) {dice.randrange(-40, 40)}" for word in _words(dice, 7)]
            out.append(
                f"BT /F1 8.5 Tf 1 0 0 1 {left:.2f} {top - 11 * line:.2f} Tm "
                f"[{' '.join(pieces)}] TJ ET"
            )


def _table(out: Operators, dice: random.Random, *, top: float, rows: int) -> None:
    """Shaded rows, a rule below each cell, right-aligned numbers."""
    width = (WIDTH - 2 * MARGIN) / 6
    for row in range(rows):
        y = top - 13 * row
        shade = 0.92 if row % 2 else 1
        out.append(f"{shade} g {MARGIN} {y - 4:.2f} {6 * width:.2f} 13 re f 0 g")
        for column in range(6):
            x = MARGIN + column * width
            out.append(f"0.4 w 0.5 G {x:.2f} {y - 4:.2f} {width:.2f} 13 re S")
            entry = f"{dice.uniform(0, 9999):,.2f}" if column else dice.choice(SYLLABLES)
            _text(out, x + 4, y, 7.5, entry)


def _chart(
    out: Operators, dice: random.Random, frame: tuple[float, float, float, float], *, points: int
) -> None:
    """Series with a translucent area below each line and a round marker at each point."""
    left, bottom, width, height = frame
    for tick in range(25):
        y = bottom + height * tick / 24
        out.append(f"0.3 w 0.8 G {left} {y:.2f} m {left + width} {y:.2f} l S")
        _text(out, left - 20, y - 2, 5, f"{tick * 40}")
    for red, green, blue in ((0.8, 0.2, 0.1), (0.1, 0.5, 0.3), (0.1, 0.3, 0.8)):
        level, curve = dice.uniform(0.2, 0.8), []
        for point in range(points):
            level = min(0.98, max(0.02, level + dice.uniform(-0.05, 0.05)))
            curve.append((left + width * point / points, bottom + height * level))
        colour = f"{red} {green} {blue}"
        line = " ".join(
            f"{x:.2f} {y:.2f} {'l' if place else 'm'}" for place, (x, y) in enumerate(curve)
        )
        out.append(f"{colour} RG 0.7 w {line} S")
        area = f"{line} {curve[-1][0]:.2f} {bottom} l {left} {bottom} l h f"
        out.append(f"q /G1 gs {colour} rg {area} Q")
        out.extend(f"{colour} rg {_circle(x, y, 1.1)} f" for x, y in curve)


def _drawing(
    out: Operators, dice: random.Random, frame: tuple[float, float, float, float], *, shapes: int
) -> None:
    """Closed outlines of curves, filled and stroked, clipped to the frame."""
    left, bottom, width, height = frame
    out.append(f"q {left} {bottom} {width} {height} re W n")
    for _ in range(shapes):
        x, y = left + dice.random() * width, bottom + dice.random() * height
        colour = " ".join(f"{dice.random():.2f}" for _ in range(3))
        outline = " ".join(_blob(dice, x, y, dice.uniform(4, 24)))
        out.append(f"{colour} rg 0.2 G 0.4 w {outline} b")
    out.append("Q")


def _blob(dice: random.Random, x: float, y: float, radius: float) -> Iterator[str]:
    """A closed curve of twelve segments around a point."""
    corners = [
        (x + radius * reach * math.cos(angle), y + radius * reach * math.sin(angle))
        for angle in (math.tau * step / 36 for step in range(36))
        for reach in (dice.uniform(0.6, 1),)
    ]
    yield f"{corners[-1][0]:.2f} {corners[-1][1]:.2f} m"
    for place in range(0, 36, 3):
        yield " ".join(f"{a:.2f} {b:.2f}" for a, b in corners[place : place + 3]) + " c"


def _circle(x: float, y: float, radius: float) -> str:
    k = 0.5523 * radius
    r = radius
    arcs = (
        (x + r, y + k, x + k, y + r, x, y + r),
        (x - k, y + r, x - r, y + k, x - r, y),
        (x - r, y - k, x - k, y - r, x, y - r),
        (x + k, y - r, x + r, y - k, x + r, y),
    )
    curves = " ".join(" ".join(f"{value:.2f}" for value in arc) + " c" for arc in arcs)
    return f"{x + r:.2f} {y:.2f} m {curves} h"


def _text(out: Operators, x: float, y: float, size: float, text: str) -> None:
    out.append(f"BT /F1 {size} Tf 1 0 0 1 {x:.2f} {y:.2f} Tm ({text}) Tj ET")


def _words(dice: random.Random, count: int) -> list[str]:
    return ["".join(dice.choices(SYLLABLES, k=dice.randint(1, 3))) for _ in range(count)]
