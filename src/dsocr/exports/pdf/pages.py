"""Writes a PDF of page pictures with invisible text, page by page."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from dsocr.exports.pdf.font import ASCENT, DESCENT, UNITS_PER_EM, empty_font
from dsocr.exports.pdf.letters import Letters
from dsocr.exports.pdf.objects import PdfObjects, text_string
from dsocr.exports.pdf.pictures import Picture
from dsocr.exports.pdf.text_layer import FONT, PlacedText, content

A4 = (595.0, 842.0)
"""Points. A page that has no size is as large; one without a resolution has the longer side."""
_SCREEN_DPI = 96
"""Programs write this, or 72, where they know no resolution."""
_MAX_DPI = 4800
_MAX_SIDE = 14400.0
"""Points; larger pages are not shown by every viewer."""
_POINTS_PER_INCH = 72
_NOTE_SIZE, _NOTE_LETTERS = 12, 80
_DESCRIPTOR = (
    b"/Type /FontDescriptor /FontName /DsocrText /Flags 4 /ItalicAngle 0 /StemV 80 "
    b"/FontBBox [0 %d %d %d] /Ascent %d /Descent %d /CapHeight %d"
    % (DESCENT, UNITS_PER_EM, ASCENT, ASCENT, DESCENT, ASCENT)
)


class PageWriter:
    """A PDF with one page after the other; the font comes last, when its characters are known."""

    def __init__(self, out: BinaryIO) -> None:
        self._objects = PdfObjects(out)
        self._letters = Letters()
        self._font, self._tree = self._objects.reserve(), self._objects.reserve()
        self._note_font = self._objects.add(
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
        )
        self._pages: list[int] = []
        self._profiles: dict[bytes, int] = {}

    def add_picture(self, picture: Picture, placed: list[PlacedText]) -> None:
        """A page that shows the picture."""
        width, height = page_size(picture.width, picture.height, picture.dpi)
        image = self._image(picture)
        a, b, c, d, e, f = picture.place
        across, up = (f"{width:.2f}", f"{height:.2f}")
        numbers = [_times(a, across), _times(b, up), _times(c, across), _times(d, up)]
        place = " ".join([*numbers, _times(e, across), _times(f, up)])
        drawing = f"q {place} cm /Page Do Q\n".encode()
        text = content(placed, self._letters, width, height)
        self._add_page(width, height, drawing + text, b"/XObject << /Page %d 0 R >>" % image)

    def add_text(self, width: float, height: float, placed: list[PlacedText]) -> None:
        """A page of text alone, which `merge` puts over a page of a PDF. Without text it has no
        content."""
        text = content(placed, self._letters, width, height)
        self._add_page(max(1, width), max(1, height), text, b"")

    def add_note(self, note: str) -> None:
        """An empty page that says why it is empty."""
        lines = [note[at : at + _NOTE_LETTERS] for at in range(0, len(note), _NOTE_LETTERS)]
        shown = b"".join(b"<%b> Tj T* " % _winansi(line) for line in lines)
        start = b"BT /Note %d Tf 14 TL 40 %d Td " % (_NOTE_SIZE, A4[1] - 60)
        self._add_page(*A4, start + shown + b"ET", b"")

    def finish(self, title: str) -> None:
        self._add_font()
        kids = b" ".join(b"%d 0 R" % number for number in self._pages)
        body = b"<< /Type /Pages /Count %d /Kids [%b] >>" % (len(self._pages), kids)
        self._objects.add(body, self._tree)
        root = self._objects.add(b"<< /Type /Catalog /Pages %d 0 R >>" % self._tree)
        info = self._objects.add(b"<< /Title %b /Producer (dsocr) >>" % text_string(title))
        self._objects.finish(root, info)

    def _add_page(self, width: float, height: float, drawn: bytes, resources: bytes) -> None:
        contents = b""
        if drawn:
            contents = b" /Contents %d 0 R" % self._objects.add_stream(b"", drawn)
        fonts = b"/Font << /%b %d 0 R /Note %d 0 R >>" % (FONT, self._font, self._note_font)
        box = f"{width:.2f} {height:.2f}".encode()
        body = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %b] /Resources << %b %b >>%b >>"
        page = body % (self._tree, box, fonts, resources, contents)
        self._pages.append(self._objects.add(page))

    def _image(self, picture: Picture) -> int:
        space = picture.space
        if picture.profile:
            space = b"[/ICCBased %d 0 R]" % self._profile(picture)
        entries = b"/Type /XObject /Subtype /Image /ColorSpace %b %b" % (space, picture.entries)
        return self._objects.add_stream(entries, picture.data, compress=False)

    def _profile(self, picture: Picture) -> int:
        """A profile that many pages have is stored once."""
        components, _, profile = (picture.profile or b"").partition(b"\n")
        key = hashlib.sha256(profile).digest()
        if key not in self._profiles:
            entries = b"/N %b /Alternate %b" % (components, picture.space)
            self._profiles[key] = self._objects.add_stream(entries, profile)
        return self._profiles[key]

    def _add_font(self) -> None:
        add, stream, letters = self._objects.add, self._objects.add_stream, self._letters
        program = empty_font(letters.glyph_widths())
        file = stream(b"/Length1 %d" % len(program), program)
        descriptor = add(b"<< %b /FontFile2 %d 0 R >>" % (_DESCRIPTOR, file))
        glyphs, unicode = stream(b"", letters.glyphs()), stream(b"", letters.to_unicode())
        descendant = add(
            b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /DsocrText /CIDSystemInfo "
            b"<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
            b"/FontDescriptor %d 0 R /CIDToGIDMap %d 0 R /W %b >>"
            % (descriptor, glyphs, letters.widths())
        )
        add(
            b"<< /Type /Font /Subtype /Type0 /BaseFont /DsocrText /Encoding /Identity-H "
            b"/DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>" % (descendant, unicode),
            self._font,
        )


def page_size(width: int, height: int, dpi: float | None) -> tuple[float, float]:
    """In points. A picture without a resolution, or with a screen's, is as long as A4 paper."""
    longest = max(width, height)
    if dpi is None or not _SCREEN_DPI < dpi <= _MAX_DPI:
        scale = A4[1] / longest
    else:
        scale = min(_POINTS_PER_INCH / dpi, _MAX_SIDE / longest)
    return width * scale, height * scale


def _times(factor: int, side: str) -> str:
    return {1: side, 0: "0", -1: f"-{side}"}[factor]


def _winansi(text: str) -> bytes:
    return text.encode("cp1252", "replace").hex().upper().encode()
