"""A TrueType font without ink. It carries the invisible text of a PDF.

Its glyphs are a line there and back, which has no area. An empty glyph has no height either, and
pdfium leaves out rotated text whose glyphs have none. There is one for each width: Ghostscript
takes the widths of a font's program, and PDF/A wants them to be those of the PDF.

Tables by the OpenType specification: head, hhea, hmtx, maxp, loca, glyf.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

UNITS_PER_EM = 1000
ASCENT = 800
DESCENT = -200
"""The two add up to one em: a line as high as its box has a font of that size."""

_POINTS = 2
_HEADER = struct.Struct(">IHHHH")
_ENTRY = struct.Struct(">4sIII")
_CHECKSUM = 0xB1B0AFBA
"""The specification's constant: `head` has its difference from the sum of the whole file."""
_ADJUSTMENT_AT = 8


def empty_font(widths: Sequence[int]) -> bytes:
    """The font file. Glyph 0 is half an em wide, and glyph N as wide as `widths` has it in
    thousandths of an em."""
    glyph = _glyph()
    advances = (UNITS_PER_EM // 2, *widths)
    count = len(advances)
    tables = {
        b"glyf": glyph * count,
        b"head": _head(),
        b"hhea": _hhea(count),
        b"hmtx": b"".join(struct.pack(">Hh", advance, 0) for advance in advances),
        b"loca": b"".join(struct.pack(">I", number * len(glyph)) for number in range(count + 1)),
        b"maxp": struct.pack(">I14H", 0x10000, count, _POINTS, 1, 0, 0, 2, *[0] * 8),
    }
    file = bytearray(_file(tables))
    adjustment = (_CHECKSUM - _sum(file)) & 0xFFFFFFFF
    struct.pack_into(">I", file, file.index(tables[b"head"]) + _ADJUSTMENT_AT, adjustment)
    return bytes(file)


def _glyph() -> bytes:
    """One contour of two points on the curve: bounds, end of the contour, flags, x and y."""
    contours, last, instructions, on_curve = 1, _POINTS - 1, 0, 1
    width, height = UNITS_PER_EM // 2, ASCENT - DESCENT
    bounds = (0, DESCENT, width, ASCENT)
    points = struct.pack(
        ">HHBBhhhh", last, instructions, *[on_curve] * 2, 0, width, DESCENT, height
    )
    return struct.pack(">h4h", contours, *bounds) + points


def _head() -> bytes:
    adjustment, dates = 0, (0, 0)
    bounds = (0, DESCENT, UNITS_PER_EM, ASCENT)
    style, smallest, direction, long_offsets, glyph_format = 0, 8, 2, 1, 0
    return struct.pack(
        ">IIIIHHqq4hHHhhh",
        *(0x10000, 0x10000, adjustment, 0x5F0F3CF5, 0, UNITS_PER_EM),
        *dates,
        *bounds,
        *(style, smallest, direction, long_offsets, glyph_format),
    )


def _hhea(num_widths: int) -> bytes:
    line_gap = 0
    return struct.pack(
        ">IhhhH11hH", 0x10000, ASCENT, DESCENT, line_gap, UNITS_PER_EM, *[0] * 11, num_widths
    )


def _file(tables: dict[bytes, bytes]) -> bytes:
    """Table entries, then the tables, each padded to four bytes. `tables` is sorted by tag."""
    count = len(tables)
    power = count.bit_length() - 1
    search = 16 << power
    header = _HEADER.pack(0x10000, count, search, power, 16 * count - search)
    at = _HEADER.size + count * _ENTRY.size
    entries = body = b""
    for tag, table in tables.items():
        entries += _ENTRY.pack(tag, _sum(table), at + len(body), len(table))
        body += table + bytes(-len(table) % 4)
    return header + entries + body


def _sum(table: bytes | bytearray) -> int:
    padded = table + bytes(-len(table) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & 0xFFFFFFFF
