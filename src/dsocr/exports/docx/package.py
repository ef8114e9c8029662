"""The parts of a Word file: written into the zip as they become known, the text last.

Relationships and numbers are counted here. No part has a date: equal documents give equal bytes.
"""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass, field
from typing import BinaryIO

from dsocr.exports.docx import parts
from dsocr.exports.docx.runs import clean

EPOCH = (1980, 1, 1, 0, 0, 0)
_SPOOLED_BYTES = 8 << 20
_CHUNK = 1 << 20


@dataclass(slots=True)
class Package:
    """One file. `emit` takes the text; the other methods give ids to what the text refers to."""

    out: BinaryIO
    _zip: zipfile.ZipFile = field(init=False)
    _body: tempfile.SpooledTemporaryFile[bytes] = field(init=False)
    _relations: list[str] = field(default_factory=list)
    _lists: list[str] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _links: dict[str, str] = field(default_factory=dict)
    _num_drawings: int = 0

    def __post_init__(self) -> None:
        self._zip = zipfile.ZipFile(self.out, "w")
        self._body = tempfile.SpooledTemporaryFile(_SPOOLED_BYTES)  # noqa: SIM115

    def emit(self, xml: str) -> None:
        self._body.write(xml.encode())

    def add_figure(self, name: str, content: bytes) -> str:
        """Stores a JPEG file; its relationship's id."""
        self._zip.writestr(_entry(f"word/media/{name}", zipfile.ZIP_STORED), content)
        return self._relation("image", f"media/{name}", "")

    def next_drawing(self) -> int:
        """A number for one drawing: a figure may be shown twice."""
        self._num_drawings += 1
        return self._num_drawings

    def add_link(self, target: str) -> str:
        """The relationship's id of a link; one for each target."""
        if target not in self._links:
            self._links[target] = self._relation("hyperlink", target, ' TargetMode="External"')
        return self._links[target]

    def add_list(self, *, ordered: bool, level: int, start: int) -> int:
        """The number of a list, which counts from `start` by itself."""
        number = len(self._lists) + 1
        self._lists.append(parts.list_instance(number, ordered=ordered, level=level, start=start))
        return number

    def add_note(self, content: str) -> int:
        """The id of a footnote with these runs."""
        number = len(self._notes) + parts.FIRST_NOTE
        self._notes.append(parts.footnote(number, content))
        return number

    def close(self, title: str, language: str | None, east_asian: str) -> None:
        """Writes the parts that depend on the whole text."""
        with self._zip, self._body as body:
            with self._zip.open(_entry("word/document.xml"), "w", force_zip64=True) as entry:
                entry.write(parts.DOCUMENT_START.encode())
                body.seek(0)
                while chunk := body.read(_CHUNK):
                    entry.write(chunk)
                entry.write(parts.DOCUMENT_END.encode())
            language = language or "en-US"
            self._write("word/_rels/document.xml.rels", parts.relations(self._relations))
            self._write("word/styles.xml", parts.styles(language, east_asian))
            self._write("word/numbering.xml", parts.numbering(self._lists))
            self._write("word/footnotes.xml", parts.footnotes(self._notes))
            self._write("word/settings.xml", parts.settings(language, east_asian))
            self._write("docProps/core.xml", parts.core(clean(title), language))
            self._write("_rels/.rels", parts.PACKAGE_RELATIONS)
            self._write("[Content_Types].xml", parts.CONTENT_TYPES)

    def discard(self) -> None:
        """Closes what is open, after an error."""
        self._body.close()
        self._zip.close()

    def _relation(self, kind: str, target: str, mode: str) -> str:
        number = f"rId{len(self._relations) + parts.FIRST_RELATION}"
        self._relations.append(parts.relation(number, kind, clean(target), mode))
        return number

    def _write(self, name: str, xml: str) -> None:
        self._zip.writestr(_entry(name), xml.encode())


def _entry(name: str, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = method
    entry.create_system = 3  # Unix on every system, so that the bytes are the same
    return entry
