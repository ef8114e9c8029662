"""A document in, bytes out: one module a format. Formats are derived here and never stored.

A format's module is imported when it is asked for, so that listing them costs nothing.
"""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from dsocr.errors import BadRequest
from dsocr.types import Document, Headers, PageImage, SourcePage


class Assets(Protocol):
    """The files that a document was read from. A page that cannot be rendered raises
    `DsocrError`."""

    def page_image(self, index: int) -> bytes:
        """The upright page `index` as PNG or JPEG."""

    def page_pixels(self, index: int) -> PageImage:
        """The upright page `index` without any loss."""

    def source_page(self, index: int) -> SourcePage | None:
        """The file that page `index` is in; None where there is only its image."""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file to have a document as."""

    key: str
    label: str
    extension: str
    """Without the dot. Of several formats with one extension, the command line uses the first."""
    media_type: str
    module: str
    """Has `write(document, out, assets)`, which goes through the pages in order and may do so more
    than once: they may be loaded as they are asked for."""


_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = _OFFICE + "wordprocessingml.document"
XLSX = _OFFICE + "spreadsheetml.sheet"

FORMATS: tuple[Format, ...] = (
    Format("markdown", "Markdown", "md", "text/markdown; charset=utf-8", "markdown"),
    Format("text", "Plain text", "txt", "text/plain; charset=utf-8", "text"),
    Format("json", "JSON", "json", "application/json", "json"),
    Format("html", "Web page", "html", "text/html; charset=utf-8", "html"),
    Format("docx", "Word", "docx", DOCX, "docx"),
    Format("pdf", "Searchable PDF", "pdf", "application/pdf", "pdf"),
    Format("xlsx", "Excel (tables)", "xlsx", XLSX, "xlsx"),
    Format("csv", "CSV (tables)", "csv", "text/csv; charset=utf-8", "csv"),
    Format("zip", "Markdown with figures", "zip", "application/zip", "archive"),
)


def format_of(key: str) -> Format:
    """The format of that key; `BadRequest` names the keys there are."""
    for known in FORMATS:
        if known.key == key:
            return known
    keys = ", ".join(known.key for known in FORMATS)
    raise BadRequest(f"There is no format {key[:40]!r}. Choose one of: {keys}.")


def write(
    document: Document,
    format: str,
    out: BinaryIO,
    assets: Assets | None = None,
    *,
    headers: Headers = "omit",
) -> None:
    """The document into a file of that format. Without `assets` its figures are left out.

    What repeats on its pages as a running head is left out of the text unless `headers` is `keep`;
    the blocks of the JSON always have it.
    """
    running_heads = importlib.import_module(f"{__name__}.running_heads")
    module = importlib.import_module(f"{__name__}.{format_of(format).module}")
    module.write(running_heads.without_running_heads(document, headers), out, assets)


def render(
    document: Document, format: str, assets: Assets | None = None, *, headers: Headers = "omit"
) -> bytes:
    """What `write` writes."""
    out = io.BytesIO()
    write(document, format, out, assets, headers=headers)
    return out.getvalue()
