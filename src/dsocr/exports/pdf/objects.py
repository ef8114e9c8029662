"""Writes a PDF object by object: no object is held once it is written.

By ISO 32000-1, 7.5: header, numbered objects, cross-reference table, trailer.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import BinaryIO

HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
_FLATE_LEVEL = 6
_FREE = b"0000000000 65535 f \n"


class PdfObjects:
    """The objects of one file. Numbers begin at 1."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._at = 0
        self._offsets: list[int] = []
        self._digest = hashlib.sha256()
        self._write(HEADER)

    def reserve(self) -> int:
        """The number of an object that is written later."""
        self._offsets.append(0)
        return len(self._offsets)

    def add(self, body: bytes, number: int = 0) -> int:
        """Writes an object and returns its number. `number` is a reserved one; 0 for a new one."""
        number = number or self.reserve()
        self._offsets[number - 1] = self._at
        self._write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
        return number

    def add_stream(self, entries: bytes, data: bytes, *, compress: bool = True) -> int:
        """`entries` of its dictionary, without the length. Data that has a filter already is not
        compressed again."""
        if compress:
            data = zlib.compress(data, _FLATE_LEVEL)
            entries += b" /Filter /FlateDecode"
        number = self.reserve()
        self._offsets[number - 1] = self._at
        head = b"%d 0 obj\n<< %b /Length %d >>\nstream\n" % (number, entries, len(data))
        self._write(head)
        self._write(data)
        self._write(b"\nendstream\nendobj\n")
        return number

    def finish(self, root: int, info: int) -> None:
        """The cross-reference table and the trailer. The file's id follows from its content."""
        start = self._at
        self._write(b"xref\n0 %d\n%b" % (len(self._offsets) + 1, _FREE))
        for offset in self._offsets:
            self._write(b"%010d 00000 n \n" % offset)
        digest = self._digest.hexdigest()[:32].encode()
        self._write(
            b"trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R /ID [<%b> <%b>] >>\n"
            b"startxref\n%d\n%%%%EOF\n"
            % (len(self._offsets) + 1, root, info, digest, digest, start)
        )

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._digest.update(data)
        self._at += len(data)


def text_string(text: str) -> bytes:
    """A text string object in UTF-16."""
    return b"<FEFF%b>" % text.encode("utf-16-be", "replace").hex().upper().encode()
