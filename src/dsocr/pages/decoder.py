"""The decoding child: opens one file at a time and hands out its pages one by one.

A question is `{"path", "kind", "decoder", "password", "page", "dpi"}`; `page` null only opens, an
empty `path` only closes. The last file stays open, so that its next page costs no second opening.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsocr.child import Channel, Header, limit_cpu_seconds
from dsocr.errors import BadImage, BadPdf, DsocrError, TooManyPixels
from dsocr.pages.image import ImageFile
from dsocr.pages.pdf import PdfFile
from dsocr.types import TextLine


@dataclass(frozen=True, slots=True)
class _Opened:
    identity: tuple[Any, ...]
    file: ImageFile | PdfFile


def main(channel: Channel, arguments: Header) -> None:
    """Answers until the parent hangs up."""
    opened: _Opened | None = None
    while True:
        question, _ = channel.receive()
        limit_cpu_seconds(arguments["cpu_seconds"])
        try:
            opened = _open(question, opened, max_pixels=arguments["max_pixels"])
            answer, pixels = _answer(question, opened.file) if opened else ({}, b"")
        except Exception as error:
            opened = None
            answer, pixels = _refusal(error, question["kind"]), b""
        channel.send(answer, pixels)


def _open(question: Header, opened: _Opened | None, *, max_pixels: int) -> _Opened | None:
    identity = (question["path"], question["password"])
    if opened and opened.identity == identity:
        return opened
    if opened:
        opened.file.close()
    if not question["path"]:
        return None
    path = Path(question["path"])
    if question["kind"] == "pdf":
        return _Opened(
            identity, PdfFile(path, password=question["password"], max_pixels=max_pixels)
        )
    return _Opened(identity, ImageFile(path, decoder=question["decoder"], max_pixels=max_pixels))


def _answer(question: Header, file: ImageFile | PdfFile) -> tuple[Header, bytes]:
    index = question["page"]
    if index is None:
        return {"num_pages": file.num_pages}, b""
    if isinstance(file, PdfFile):
        page = file.page(index, dpi=question["dpi"])
        image = page.image
        more = {
            "dpi": page.dpi,
            "lines": [_line_to_wire(line) for line in page.lines],
            "image_share": page.image_share,
        }
    else:
        image, dpi = file.page(index)
        more = {"dpi": dpi, "lines": None, "image_share": 0.0}
    return {"width": image.width, "height": image.height, **more}, image.tobytes()


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
