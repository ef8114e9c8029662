"""What the user gave, as pages that can be had one at a time. Nothing is decoded in this process.

Knows no engine and no HTTP; `open_source` is the door of the room.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from PIL import Image

from dsocr.child import Header
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.signature import FileType, Kind, file_type
from dsocr.types import Box, PageImage, TextLine

DEFAULT_DPI = 144
"""What the authors render PDF pages at for the model (spec 3.1)."""


@dataclass(frozen=True, slots=True)
class Source:
    """An opened document. Holds no pixels; the file must stay where it is until it is closed."""

    name: str
    path: Path
    format: FileType
    num_pages: int
    sandbox: Sandbox
    password: str | None = None

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
        question = _question(self.path, self.format, self.password)
        question |= {"page": index, "dpi": dpi or DEFAULT_DPI}
        answer, pixels = await self.sandbox.ask(question)
        size = answer["width"], answer["height"]
        lines = answer["lines"]
        return PageImage(
            index=index,
            image=Image.frombuffer("RGB", size, pixels, "raw", "RGB", 0, 1),
            width=size[0],
            height=size[1],
            dpi=answer["dpi"],
            text_lines=None if lines is None else tuple(map(_line, lines)),
            image_share=answer["image_share"],
        )

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
    answer, _ = await sandbox.ask({**_question(path, found, password), "page": None, "dpi": None})
    return Source(name, path, found, answer["num_pages"], sandbox, password)


def _question(path: Path, found: FileType, password: str | None) -> Header:
    return {
        "path": str(path.absolute()),
        "kind": found.kind,
        "decoder": found.decoder,
        "password": password,
    }


def _line(wire: tuple[str, float, float, float, float]) -> TextLine:
    text, x0, y0, x1, y1 = wire
    return TextLine(text, Box(x0, y0, x1, y1))
