"""A document as a searchable PDF: its pages as they were, with invisible text over them.

A page of a PDF keeps its vectors, fonts and images, and gains text where it had none or a wrong
one. An image file's page shows the file's own data.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from dsocr.errors import BadRequest, DsocrError
from dsocr.exports import Assets
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.exports.pdf.pages import PageWriter
from dsocr.exports.pdf.pictures import page_picture
from dsocr.exports.pdf.text_layer import all_text, layer_use, recognized_text
from dsocr.process.child import Child, ChildDied, ChildTimeout
from dsocr.types import Document, PageResult, SourcePage

log = logging.getLogger(__name__)

MERGE = "dsocr.exports.pdf.merge:main"
MEMORY_BYTES = 2 << 30
"""Address space of the process that puts the text onto the pages of a PDF."""
SECONDS, SECONDS_PER_PAGE = 30.0, 0.5
"""Limits of its time."""
_PDF = "application/pdf"


class _MergeFailed(Exception):
    """The pages of a PDF cannot be taken over."""


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """Raises `BadRequest` without `assets`: the pages are needed. Where qpdf cannot take a PDF's
    pages over, their pictures stand for them."""
    if assets is None:
        raise BadRequest("A searchable PDF needs the document itself. Send it with the result.")
    with tempfile.TemporaryDirectory(prefix="dsocr-pdf-") as folder:
        try:
            path = _Pages(document, assets, Path(folder)).write()
        except _MergeFailed as error:
            log.warning("a searchable PDF is made of page images: %s", error)
            path = _Pages(document, assets, Path(folder), keeps_pdfs=False).write()
        with path.open("rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)


@dataclass(slots=True)
class _Pages:
    document: Document
    assets: Assets
    folder: Path
    keeps_pdfs: bool = True
    _sources: dict[tuple[Path, str | None], int] = field(default_factory=dict)
    _plan: list[list[Any] | None] = field(default_factory=list)

    def write(self) -> Path:
        """The finished file, in `folder`."""
        path = self.folder / "pages.pdf"
        with path.open("wb") as file:
            writer = PageWriter(file)
            for page in self.document.pages:
                self._plan.append(self._add(page, writer))
            writer.finish(Path(self.document.name).stem or "document")
        return self._merged(path) if self._sources else path

    def _add(self, page: PageResult, writer: PageWriter) -> list[Any] | None:
        """What `merge` has to do for the page."""
        source = self.assets.source_page(page.index)
        if source is not None and source.media_type == _PDF and self.keeps_pdfs:
            placed = recognized_text(self.document, page)
            writer.add_text(page.width, page.height, placed)
            return [self._number(source), source.number, layer_use(page), source.rotation]
        self._add_picture(page, source, writer)
        return None

    def _add_picture(self, page: PageResult, source: SourcePage | None, writer: PageWriter) -> None:
        try:
            picture = page_picture(page.index, source, self.assets)
        except DsocrError as error:
            message = page.error.message if page.error else error.message
            writer.add_note(f"Page {page.index + 1} could not be read: {message}")
        else:
            writer.add_picture(picture, all_text(self.document, page))

    def _number(self, source: SourcePage) -> int:
        return self._sources.setdefault((source.path, source.password), len(self._sources))

    def _merged(self, layers: Path) -> Path:
        out = self.folder / "merged.pdf"
        seconds = SECONDS + SECONDS_PER_PAGE * len(self._plan)
        request = {
            "layers": str(layers),
            "out": str(out),
            "sources": [
                {"path": str(path.absolute()), "password": password}
                for path, password in self._sources
            ],
            "plan": self._plan,
        }
        with ExitStack() as stack:
            child = Child(MERGE, {"cpu_seconds": seconds}, memory_bytes=MEMORY_BYTES)
            stack.callback(child.kill)
            try:
                answer, _ = child.call(request, timeout=seconds)
            except (ChildDied, ChildTimeout) as error:
                raise _MergeFailed(str(error)) from error
        if "error" in answer:
            raise _MergeFailed(answer["error"])
        return out
