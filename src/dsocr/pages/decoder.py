"""The decoding process: opens one file at a time and renders its pages on request.

A request is `{"path", "stamp", "kind", "decoder", "password", "page", "dpi", "shared"}`. `page`
null only opens; an empty `path` only closes. The last file stays open for its next page. `stamp`
distinguishes a file from a later one of the same name. With `shared` the pixels of a page are sent
as shared memory.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dsocr.errors import BadImage, BadPdf, DsocrError, TooManyPixels
from dsocr.process.child import Buffer, Channel, Header, Payload, limit_cpu_seconds
from dsocr.process.shared_memory import share
from dsocr.types import PageImage, TextLine


class File(Protocol):
    """An open image or PDF."""

    num_pages: int

    def render_page(self, index: int, *, dpi: float | None) -> PageImage: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Opened:
    identity: tuple[Any, ...]
    file: File


def main(channel: Channel, arguments: Header) -> None:
    """Answers requests until the parent closes the channel."""
    warnings.simplefilter("ignore")  # warnings of libraries name folders of this machine
    opened: _Opened | None = None
    while True:
        request, _ = channel.receive()
        limit_cpu_seconds(arguments["cpu_seconds"])
        try:
            opened = _opened_for(request, opened, max_pixels=arguments["max_pixels"])
            response, payload = _response(request, opened.file) if opened else ({}, b"")
        except Exception as error:
            opened = None
            response, payload = _error_response(error, request["kind"]), b""
        channel.send(response, payload)
        del payload  # frees its memory before the next request


def _opened_for(request: Header, opened: _Opened | None, *, max_pixels: int) -> _Opened | None:
    """`opened` if the request is about that file; else closes it and opens the requested one."""
    identity = (request["path"], request["stamp"], request["password"])
    if opened and opened.identity == identity:
        return opened
    if opened:
        opened.file.close()
    return _Opened(identity, _open(request, max_pixels)) if request["path"] else None


def _open(request: Header, max_pixels: int) -> File:
    """Imports only the decoder that is needed, so that the first page does not wait for others."""
    path = Path(request["path"])
    if request["kind"] == "pdf":
        from dsocr.pages.pdf.file import PdfFile

        return PdfFile(path, password=request["password"], max_pixels=max_pixels)
    from dsocr.pages.image import ImageFile

    return ImageFile(path, decoder=request["decoder"], max_pixels=max_pixels)


def _response(request: Header, file: File) -> tuple[Header, Payload]:
    if request["page"] is None:
        return {"num_pages": file.num_pages}, b""
    page = file.render_page(request["page"], dpi=request["dpi"])
    lines = page.text_lines
    response = {
        "width": page.width,
        "height": page.height,
        "dpi": page.dpi,
        "lines": None if lines is None else [_serialize_line(line) for line in lines],
        "hidden_lines": [_serialize_line(line) for line in page.hidden_lines],
        "image_share": page.image_share,
        "flags": page.flags,
    }
    pixels = page.rgb()
    assert isinstance(pixels, Buffer)
    return response, _shared(pixels) if request["shared"] else pixels


def _shared(pixels: Buffer) -> Payload:
    """As shared memory, or as they are where the system provides none."""
    try:
        return share(pixels)
    except OSError:
        return pixels


def _serialize_line(line: TextLine) -> list[Any]:
    return [line.text, line.box.x0, line.box.y0, line.box.x1, line.box.y1, line.fonts]


def _error_response(error: Exception, kind: str) -> Header:
    """The error's code and message. Decoders raise many exceptions at broken files (Pillow:
    OSError, SyntaxError, ValueError, TypeError, struct.error ...), so any means a broken file."""
    if isinstance(error, MemoryError):
        error = TooManyPixels("Decoding it takes more memory than is allowed.")
    if not isinstance(error, DsocrError):
        broken = BadPdf("The PDF is broken.") if kind == "pdf" else BadImage("The image is broken.")
        return {"error": broken.code, "message": broken.message, "cause": repr(error)[:300]}
    return {"error": error.code, "message": error.message, "cause": ""}
