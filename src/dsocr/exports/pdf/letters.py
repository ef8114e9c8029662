"""The characters of a document's invisible text: their codes, their widths, and their Unicode."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from dsocr.exports.layout.char_widths import BLANK, letter_width

MAX_CODES = 0xFFFF
_PER_BLOCK = 100
"""The most entries that one block of a character map may have."""

_MAP_HEAD = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
"""
_MAP_END = "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"


def width_of(letter: str) -> int:
    """The typical width of a character in thousandths of the font's size; 0 for a mark above or
    below another character."""
    return BLANK if letter == " " else letter_width(letter)


def text_width(text: str) -> int:
    """In thousandths of the font's size."""
    return sum(map(width_of, text))


class Letters:
    """Gives each character a code of two bytes in the order of first use."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def encode(self, text: str) -> bytes:
        """The codes as hexadecimal digits. Characters beyond `MAX_CODES` different ones are left
        out."""
        return b"".join(b"%04X" % code for code in self._encoded(text))

    def _encoded(self, text: str) -> Iterable[int]:
        for letter in text:
            code = self._codes.get(letter)
            if code is None:
                if len(self._codes) == MAX_CODES:
                    continue
                code = self._codes[letter] = len(self._codes) + 1
            yield code

    def widths(self) -> bytes:
        """The array `W` of a CIDFont."""
        return b"[1 [" + b" ".join(b"%d" % width_of(letter) for letter in self._codes) + b"]]"

    def glyph_widths(self) -> list[int]:
        """The different widths in order: those of the glyphs from 1 on."""
        return sorted(set(map(width_of, self._codes)))

    def glyphs(self) -> bytes:
        """The stream `CIDToGIDMap`: every code shows the glyph of its width."""
        numbers = {width: number for number, width in enumerate(self.glyph_widths(), 1)}
        found = [0, *(numbers[width_of(letter)] for letter in self._codes)]
        return struct.pack(f">{len(found)}H", *found)

    def to_unicode(self) -> bytes:
        """The stream `ToUnicode`."""
        entries = [f"<{code:04X}> <{_utf16(letter)}>\n" for letter, code in self._codes.items()]
        parts = [_MAP_HEAD]
        for first in range(0, len(entries), _PER_BLOCK):
            block = entries[first : first + _PER_BLOCK]
            parts += [f"{len(block)} beginbfchar\n", *block, "endbfchar\n"]
        return "".join([*parts, _MAP_END]).encode()


def _utf16(letter: str) -> str:
    return letter.encode("utf-16-be", "replace").hex().upper()
