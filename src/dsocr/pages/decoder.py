"""The decoding child: opens one file at a time and hands out its pages one by one.

A question is `{"path", "stamp", "kind", "decoder", "password", "page", "dpi"}`; `page` null only
opens, an empty `path` only closes. The last file stays open: its next page costs no second opening.
`stamp` tells a file from a later one of the same name.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dsocr.errors import BadImage, BadPdf, DsocrError, TooManyPixels
from dsocr.process.child import Channel, Header, limit_cpu_seconds
from dsocr.types import PageImage, TextLine


class File(Protocol):
    """An image or a PDF that is open."""

    num_pages: int

    def page(self, index: int, *, dpi: float) -> PageImage: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Opened:
    identity: tuple[Any, ...]
    file: File


def main(channel: Channel, arguments: Header) -> None:
    """Answers until the parent hangs up."""
    warnings.simplefilter("ignore")  # a library's doubts on a file are no news to who gave it
    opened: _Opened | None = None
    while True:
        question, _ = channel.receive()
        limit_cpu_seconds(arguments["cpu_seconds"])
        try:
            opened = _turned_to(question, opened, max_pixels=arguments["max_pixels"])
            answer, pixels = _answer(question, opened.file) if opened else ({}, b"")
        except Exception as error:
            opened = None
            answer, pixels = _refusal(error, question["kind"]), b""
        channel.send(answer, pixels)


def _turned_to(question: Header, opened: _Opened | None, *, max_pixels: int) -> _Opened | None:
    """What was open, if the question is about it; else that is closed and the other opened."""
    identity = (question["path"], question["stamp"], question["password"])
    if opened and opened.identity == identity:
        return opened
    if opened:
        opened.file.close()
    return _Opened(identity, _open(question, max_pixels)) if question["path"] else None


def _open(question: Header, max_pixels: int) -> File:
    """Loads the one decoder that is needed: the first page should not wait for the others."""
    path = Path(question["path"])
    if question["kind"] == "pdf":
        from dsocr.pages.pdf import PdfFile

        return PdfFile(path, password=question["password"], max_pixels=max_pixels)
    from dsocr.pages.image import ImageFile

    return ImageFile(path, decoder=question["decoder"], max_pixels=max_pixels)


def _answer(question: Header, file: File) -> tuple[Header, bytes]:
    if question["page"] is None:
        return {"num_pages": file.num_pages}, b""
    page = file.page(question["page"], dpi=question["dpi"])
    lines = page.text_lines
    answer = {
        "width": page.width,
        "height": page.height,
        "dpi": page.dpi,
        "lines": None if lines is None else [_line_to_wire(line) for line in lines],
        "image_share": page.image_share,
    }
    return answer, page.image.tobytes()


def _line_to_wire(line: TextLine) -> list[Any]:
    return [line.text, line.box.x0, line.box.y0, line.box.x1, line.box.y1]


def _refusal(error: Exception, kind: str) -> Header:
    """What is wrong, as a code and a sentence. Decoders raise whatever they like at broken files
    (Pillow: OSError, SyntaxError, ValueError, TypeError, struct.error ...), so all of it counts."""
    if isinstance(error, MemoryError):
        error = TooManyPixels("Decoding it takes more memory than is allowed.")
    if not isinstance(error, DsocrError):
        broken = BadPdf("The PDF is broken.") if kind == "pdf" else BadImage("The image is broken.")
        return {"error": broken.code, "message": broken.message, "cause": repr(error)[:300]}
    return {"error": error.code, "message": error.message, "cause": ""}
