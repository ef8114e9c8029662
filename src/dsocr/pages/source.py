"""An image or PDF file whose pages are rendered on request, in a decoding process.

Knows no engine and no HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType

from dsocr.errors import BadRequest
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.signature import FileType, Kind, file_type
from dsocr.process.child import Header, Received
from dsocr.types import PAGE_FLAGS, Box, PageImage, RawPixels, SourcePage, TextLine

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """An open document. Holds no pixels; the file must not change until it is closed."""

    name: str
    path: Path
    format: FileType
    num_pages: int
    sandbox: Sandbox
    stamp: Stamp
    """Distinguishes the file from another one of its name."""
    password: str | None = field(default=None, repr=False)

    @property
    def kind(self) -> Kind:
        return self.format.kind

    @property
    def media_type(self) -> str:
        return self.format.media_type

    async def render_page(self, index: int, *, dpi: float | None = None) -> PageImage:
        """Page `index` from 0, upright and in RGB; `dpi` applies to PDFs only. None: 144, and more
        on a small page, by what is on it.

        Raises `DsocrError` when this page cannot be rendered; others may still be.
        """
        if not 0 <= index < self.num_pages:
            raise IndexError(f"page {index} of {self.num_pages}")
        if _stamp(self.path) != self.stamp:
            raise BadRequest("The file was changed while it was read.")
        request = _request(self.path, self.stamp, self.format, self.password)
        request |= {"page": index, "dpi": dpi}
        return await self.sandbox.request(request, partial(_parse_page, index))

    def rotation(self, index: int) -> int:
        """0: the pages of a file are as they are."""
        return 0

    def source_page(self, index: int) -> SourcePage:
        """Where page `index` is, for an export that takes over the file's own data."""
        return SourcePage(self.path, self.media_type, index, self.password)

    async def close(self) -> None:
        """Closes the file: a deleted one keeps its disk space while a process has it open."""
        await self.sandbox.close_file(str(self.path.absolute()))

    async def __aenter__(self) -> DocumentFile:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


async def open_document(
    path: Path, *, name: str, sandbox: Sandbox, password: str | None = None
) -> DocumentFile:
    """Opens an image or a PDF. Its first bytes decide the type; `name` is only for people.

    Raises `NotADocument`, `BadImage`, `BadPdf`, `PasswordRequired`, `TooManyPixels`, `PageTimeout`,
    or `BadRequest` when the file cannot be read.
    """
    found = file_type(path)
    stamp = _stamp(path)
    request = {**_request(path, stamp, found, password), "page": None, "dpi": None}
    num_pages = await sandbox.request(request, _parse_num_pages)
    return DocumentFile(name, path, found, num_pages, sandbox, stamp, password)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise BadRequest(f"The file cannot be read: {error.strerror or error}.") from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def _request(path: Path, stamp: Stamp, found: FileType, password: str | None) -> Header:
    return {
        "path": str(path.absolute()),
        "stamp": stamp,
        "kind": found.kind,
        "decoder": found.decoder,
        "password": password,
    }


# Parsers of responses. The child has opened the file and is not trusted: they raise `KeyError`,
# `TypeError` or `ValueError` at anything that a correct decoder does not send.


def _parse_num_pages(response: Header, pixels: Received) -> int:
    return _count(response["num_pages"])


def _parse_page(index: int, response: Header, pixels: Received) -> PageImage:
    width, height = _count(response["width"]), _count(response["height"])
    if len(pixels) != 3 * width * height:
        raise ValueError("not as many pixels as announced")
    dpi, lines = response["dpi"], response["lines"]
    return PageImage(
        index=index,
        pixels=RawPixels(width, height, pixels),
        width=width,
        height=height,
        dpi=None if dpi is None else float(dpi),
        text_lines=None if lines is None else tuple(_line(*line) for line in lines),
        hidden_lines=tuple(_line(*line) for line in response["hidden_lines"]),
        image_share=_fraction(response["image_share"]),
        flags=tuple(_flag(flag) for flag in response["flags"]),
    )


def _line(
    text: str, x0: float, y0: float, x1: float, y1: float, fonts: Sequence[Sequence[int]]
) -> TextLine:
    str.encode(text)  # a lone surrogate cannot be encoded
    box = Box(_fraction(x0), _fraction(y0), _fraction(x1), _fraction(y1))
    return TextLine(text, box, fonts=tuple((_number(font), _count(n)) for font, n in fonts))


def _number(value: int) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a number from 0")
    return value


def _flag(value: str) -> str:
    if value not in PAGE_FLAGS:
        raise ValueError("not a flag of a page")
    return value


def _count(value: int) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("not a positive integer")
    return value


def _fraction(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError("not a fraction of the page")
    return float(value)
