"""A document in, bytes out: one module a format. Formats are derived here and never stored.

A format's module is imported when it is asked for, so that listing them costs nothing.
"""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal, Protocol

from dsocr.errors import BadRequest
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.types import Document, PageImage, SourcePage


class Assets(Protocol):
    """The files that a document was read from. A page that cannot be rendered raises
    `DsocrError`."""

    def page_image(self, index: int) -> bytes:
        """The upright page `index` as PNG or JPEG."""

    def page_pixels(self, index: int) -> PageImage:
        """The upright page `index` without any loss."""

    def source_page(self, index: int) -> SourcePage | None:
        """The file that page `index` is in; None where there is only its image."""


Need = Literal["boxes", "tables", "images"]
"""What a result must have: places of its text, a table, or the images of its pages."""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file to have a document as."""

    key: str
    label: str
    extension: str
    """Without the dot. Of several formats with one extension, the command line uses the first."""
    media_type: str
    module: str
    """Has `write(document, out, assets, options)`, which goes through the pages in order and may
    do so more than once: they may be loaded as they are asked for."""
    needs: tuple[Need, ...] = ()
    """Without one of these the file cannot be made."""
    is_markdown: bool = False
    """Whether its text is markdown, in which math and tables are written as chosen."""
    has_contents: bool = True
    """Whether it may begin with a table of contents."""

    @property
    def is_text(self) -> bool:
        """Whether the file is text in UTF-8, by its media type."""
        return self.media_type.startswith(("text/", *_TEXT_TYPES))


_TEXT_TYPES = ("application/json", "application/x-ndjson", "application/xml")
_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = _OFFICE + "wordprocessingml.document"
XLSX = _OFFICE + "spreadsheetml.sheet"

FORMATS: tuple[Format, ...] = (
    Format("markdown", "Markdown", "md", "text/markdown; charset=utf-8", "markdown", (), True),
    Format("text", "Plain text", "txt", "text/plain; charset=utf-8", "text"),
    Format("json", "JSON", "json", "application/json", "json", (), True),
    Format("jsonl", "JSON, a page a line", "jsonl", "application/x-ndjson", "jsonl", (), True),
    Format("html", "Web page", "html", "text/html; charset=utf-8", "html"),
    Format("docx", "Word", "docx", DOCX, "docx"),
    Format("pdf", "Searchable PDF", "pdf", "application/pdf", "pdf", ("images",)),
    Format("xlsx", "Excel (tables)", "xlsx", XLSX, "xlsx", ("tables",)),
    Format("csv", "CSV (tables)", "csv", "text/csv; charset=utf-8", "csv", ("tables",)),
    Format("hocr", "hOCR", "hocr", "text/vnd.hocr+html; charset=utf-8", "hocr", ("boxes",)),
    Format("alto", "ALTO XML", "xml", "application/xml", "alto", ("boxes",)),
    Format(
        "docling", "Docling JSON", "docling.json", "application/json", "docling", has_contents=False
    ),
    Format(
        "doctags",
        "DocTags",
        "doctags",
        "text/plain; charset=utf-8",
        "docling.doctags",
        has_contents=False,
    ),
    Format(
        "chunks",
        "Chunks for retrieval",
        "chunks.jsonl",
        "application/x-ndjson",
        "chunks",
        has_contents=False,
    ),
    Format("zip", "Markdown with figures", "zip", "application/zip", "archive", (), True),
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
    options: ExportOptions = DEFAULTS,
) -> None:
    """The document into a file of that format. Without `assets` its figures are left out.

    What repeats on its pages as a running head is left out of the text unless `headers` is `keep`;
    the blocks of the JSON always have it. Raises `BadRequest` where the document lacks what the
    format needs, and where what `redact` matches cannot be taken out.
    """
    spec = format_of(format)
    if options.redact:
        redaction = importlib.import_module(f"{__name__}.redaction")
        document, assets = redaction.redacted(document, assets, options.redact)
    if spec.needs:
        importlib.import_module(f"{__name__}.needs").check(document, spec, assets is not None)
    structure = importlib.import_module(f"{__name__}.structure")
    module = importlib.import_module(f"{__name__}.{spec.module}")
    options = replace(options, toc=options.toc and spec.has_contents)
    whole = structure.structured(document, options, is_markdown=spec.is_markdown)
    module.write(whole, out, assets, options)


def public_name(name: str, options: ExportOptions) -> str:
    """The document's name for a file of it: without what `redact` matches."""
    if not options.redact:
        return name
    redaction = importlib.import_module(f"{__name__}.redaction")
    redacted: str = redaction.redacted_name(name, options.redact)
    return redacted


def render(
    document: Document,
    format: str,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> bytes:
    """What `write` writes."""
    out = io.BytesIO()
    write(document, format, out, assets, options)
    return out.getvalue()
