"""What the user gave, as pages that can be had one at a time. Nothing is decoded in this process.

Knows no engine and no HTTP; `open_source` is the door of the room.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType

from PIL import Image

from dsocr.errors import BadRequest
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.signature import FileType, Kind, file_type
from dsocr.process.child import Header
from dsocr.types import Box, PageImage, TextLine

DEFAULT_DPI = 144
"""What the authors render PDF pages at for the model (spec 3.1)."""


Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """An opened document. Holds no pixels; the file must stay as it is until it is closed."""

    name: str
    path: Path
    format: FileType
    num_pages: int
    sandbox: Sandbox
    stamp: Stamp
    """Tells the file from another one of its name."""
    password: str | None = field(default=None, repr=False)

    @property
    def kind(self) -> Kind:
        return self.format.kind

    @property
    def media_type(self) -> str:
        return self.format.media_type

    async def page(self, index: int, *, dpi: float | None = None) -> PageImage:
        """Page `index` from 0, upright and in RGB; `dpi` matters to PDFs alone.

        Raises `DsocrError` when this page cannot be had; others may still be.
        """
        if not 0 <= index < self.num_pages:
            raise IndexError(f"page {index} of {self.num_pages}")
        if _stamp(self.path) != self.stamp:
            raise BadRequest("The file was changed while it was read.")
        question = _question(self.path, self.stamp, self.format, self.password)
        question |= {"page": index, "dpi": dpi or DEFAULT_DPI}
        return await self.sandbox.ask(question, partial(_page, index))

    async def close(self) -> None:
        """Lets go of the file: a deleted one would keep its disk space while a child has it."""
        await self.sandbox.forget(str(self.path.absolute()))

    async def __aenter__(self) -> Source:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


async def open_source(
    path: Path, *, name: str, sandbox: Sandbox, password: str | None = None
) -> Source:
    """Opens an image or a PDF. `name` is only for people; what it is, its first bytes say.

    Raises `NotADocument`, `BadImage`, `BadPdf`, `PasswordRequired`, `TooManyPixels`, `PageTimeout`,
    or `BadRequest` when the file cannot be read.
    """
    found = file_type(path)
    stamp = _stamp(path)
    question = {**_question(path, stamp, found, password), "page": None, "dpi": None}
    num_pages = await sandbox.ask(question, _num_pages)
    return Source(name, path, found, num_pages, sandbox, stamp, password)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise BadRequest(f"The file cannot be read: {error.strerror or error}.") from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def _question(path: Path, stamp: Stamp, found: FileType, password: str | None) -> Header:
    return {
        "path": str(path.absolute()),
        "stamp": stamp,
        "kind": found.kind,
        "decoder": found.decoder,
        "password": password,
    }


# Readers of answers. The child has seen the file and is not trusted: they raise `KeyError`,
# `TypeError` or `ValueError` at anything a sound decoder would not say.


def _num_pages(answer: Header, pixels: bytearray) -> int:
    return _count(answer["num_pages"])


def _page(index: int, answer: Header, pixels: bytearray) -> PageImage:
    width, height = _count(answer["width"]), _count(answer["height"])
    if len(pixels) != 3 * width * height:
        raise ValueError("not as many pixels as claimed")
    dpi, lines = answer["dpi"], answer["lines"]
    return PageImage(
        index=index,
        image=Image.frombuffer("RGB", (width, height), pixels, "raw", "RGB", 0, 1),
        width=width,
        height=height,
        dpi=None if dpi is None else float(dpi),
        text_lines=None if lines is None else tuple(_line(*line) for line in lines),
        image_share=_fraction(answer["image_share"]),
    )


def _line(text: str, x0: float, y0: float, x1: float, y1: float) -> TextLine:
    str.encode(text)  # a lone surrogate would break whoever writes the text down
    return TextLine(text, Box(_fraction(x0), _fraction(y0), _fraction(x1), _fraction(y1)))


def _count(value: int) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("not a number of things")
    return value


def _fraction(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError("not a part of the page")
    return float(value)
