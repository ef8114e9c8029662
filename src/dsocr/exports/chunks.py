"""Chunks for retrieval as JSON lines: by heading and size, with the pages, boxes and headings that
each is from.

A table stays whole, or is divided between rows with its header repeated. Sizes are characters; the
number of tokens is an estimate, since it depends on the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from dsocr.exports import Assets
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.exports.structure import written_text
from dsocr.exports.structure.parts import HEADING, Part, parts_of
from dsocr.exports.text import plain
from dsocr.schema import DIGITS
from dsocr.types import Document, PageResult

_ROW = re.compile(r"<tr\b.*?(?:</tr\s*>|(?=<tr\b)|\Z)", re.S | re.I)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n")
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_CHARACTERS_A_TOKEN = 4


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """UTF-8; a line a chunk, in order. Pages that failed are left out."""
    names = document.page_names or (document.name,) * len(document.pages)
    chunker = _Chunker(options)
    number = 0
    for page, name in zip(document.pages, names, strict=True):
        for chunk in chunker.page(page, name):
            out.write(_line(chunk, number))
            number += 1
    for chunk in chunker.finish():
        out.write(_line(chunk, number))
        number += 1


@dataclass(slots=True)
class _Chunk:
    file: str
    headings: tuple[str, ...]
    text: str = ""
    has_content: bool = False
    """Whether there is more than headings, and than the end of the chunk before."""
    pages: list[int] = field(default_factory=list)
    boxes: list[dict[str, Any]] = field(default_factory=list)

    def add(self, text: str, part: Part, page: PageResult) -> None:
        self.text += ("\n\n" if self.text else "") + text
        self.has_content = self.has_content or part.kind != "heading"
        if page.index + 1 not in self.pages:
            self.pages.append(page.index + 1)
        for box in part.boxes:
            sides = [round(side, DIGITS) for side in (box.x0, box.y0, box.x1, box.y1)]
            entry = {"page": page.index + 1, "box": sides}
            if entry not in self.boxes[-8:]:
                self.boxes.append(entry)


class _Chunker:
    """Takes the pages in order; gives each chunk once it is complete."""

    def __init__(self, options: ExportOptions) -> None:
        self._options = options
        self._headings: list[tuple[int, str]] = []
        self._open: _Chunk | None = None
        self._file = ""
        overlap = options.chunk_overlap
        self._piece_size = options.chunk_size - (overlap + 2 if overlap else 0)

    def page(self, page: PageResult, file: str) -> Iterator[_Chunk]:
        if file != self._file:
            yield from self.finish()
            self._file, self._headings = file, []
        for part in [] if page.error else parts_of(page):
            yield from self._part(part, page)

    def finish(self) -> Iterator[_Chunk]:
        if self._open is not None and self._open.text:
            yield self._open
        self._open = None

    def _part(self, part: Part, page: PageResult) -> Iterator[_Chunk]:
        if part.kind == "heading":
            if self._open is not None and self._open.has_content:
                yield from self.finish()
            self._enter(part)
        for text in _pieces(part, self._piece_size):
            text = written_text(text, self._options)
            chunk = self._open
            if chunk and chunk.has_content and not self._fits(chunk, text):
                yield from self._turned(text)
            if self._open is None:
                self._open = _Chunk(self._file, self._path())
            self._open.add(text, part, page)

    def _enter(self, part: Part) -> None:
        """The path of headings with this one."""
        title = " ".join(plain(HEADING.sub("", part.text.lstrip(), count=1)).split())
        self._headings = [each for each in self._headings if each[0] < part.level]
        self._headings.append((part.level, title))
        if self._open is not None:
            self._open.headings = self._path()

    def _path(self) -> tuple[str, ...]:
        return tuple(title for _, title in self._headings)

    def _fits(self, chunk: _Chunk, text: str) -> bool:
        return len(chunk.text) + 2 + len(text) <= self._options.chunk_size

    def _turned(self, text: str) -> Iterator[_Chunk]:
        """The open chunk; the next begins with its end, as far as there is room."""
        assert self._open is not None
        room = min(self._options.chunk_overlap, self._options.chunk_size - len(text) - 2)
        tail = _tail(self._open.text, room) if room > 0 else ""
        yield self._open
        self._open = _Chunk(self._file, self._path(), tail)


def _pieces(part: Part, size: int) -> Iterator[str]:
    """The text of a part in pieces of at most that size, as far as it can be divided."""
    if len(part.text) <= size:
        yield part.text
    elif part.kind == "table" and "<table" in part.text.lower():
        yield from _table_pieces(part.text, size)
    elif part.kind == "table":
        head, divider, *rows = part.text.split("\n")
        yield from _rows(rows, f"{head}\n{divider}\n", "", size, "\n")
    else:
        yield from _text_pieces(part.text, size)


def _table_pieces(html: str, size: int) -> Iterator[str]:
    rows = _ROW.findall(html)
    if len(rows) < 2:
        yield html
        return
    yield from _rows(rows[1:], f"<table>{rows[0]}", "</table>", size, "")


def _rows(rows: Sequence[str], head: str, end: str, size: int, between: str) -> Iterator[str]:
    held: list[str] = []
    length = len(head) + len(end)
    for row in rows:
        if held and length + len(row) + len(between) > size:
            yield head + between.join(held) + end
            held, length = [], len(head) + len(end)
        held.append(row)
        length += len(row) + len(between)
    yield head + between.join(held) + end


def _text_pieces(text: str, size: int) -> Iterator[str]:
    """Divided between sentences; a sentence that is too long, between words."""
    held = ""
    start = 0
    for end in [*(found.end() for found in _SENTENCE.finditer(text)), len(text)]:
        sentence, start = text[start:end], end
        if held and len(held) + len(sentence.rstrip()) > size:
            yield held.strip()
            held = ""
        held += sentence
        while len(held) > size:
            cut = held.rfind(" ", size // 2, size) + 1 or size
            yield held[:cut].strip()
            held = held[cut:]
    if held.strip():
        yield held.strip()


def _tail(text: str, room: int) -> str:
    """Whole words of the end; none of a table, which has no meaning without its header."""
    last = text.rsplit("\n\n", 1)[-1]
    if "<table" in last.lower() or last.startswith("|"):
        return ""
    tail = last[-room:]
    if len(tail) < len(last) and not _WIDE.match(tail):
        tail = tail.partition(" ")[2]
    return tail.strip()


def _line(chunk: _Chunk, number: int) -> bytes:
    values = {
        "id": number,
        "fileName": chunk.file,
        "text": chunk.text,
        "characters": len(chunk.text),
        "tokens": _tokens(chunk.text),
        "pages": [chunk.pages[0], chunk.pages[-1]],
        "headings": list(chunk.headings),
        "boxes": chunk.boxes,
    }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _tokens(text: str) -> int:
    wide = len(_WIDE.findall(text))
    return wide + -(-(len(text) - wide) // _CHARACTERS_A_TOKEN)
