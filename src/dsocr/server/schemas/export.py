"""How a result is written as a file: the same fields in a query, a form and a JSON body."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from dsocr.exports.options import (
    MAX_CHUNK,
    MIN_CHUNK,
    Breaks,
    ExportOptions,
    Figures,
    Math,
    Tables,
)
from dsocr.types import Headers


class ExportFields(BaseModel):
    """Options of an export; docs/exports.md describes them."""

    headers: Headers = Field(
        default="omit",
        description="Running heads that repeat over the pages: `omit` leaves them out of the text",
    )
    math: Math = Field(
        default="brackets", description="Formulas in markdown: between `\\(` or between `$`"
    )
    tables: Tables = Field(default="html", description="Tables in markdown")
    figures: Figures = Field(
        default="linked", description="Figures of markdown: links, or images inside the text"
    )
    breaks: Breaks = Field(
        default="rule",
        description="Between the pages of markdown: a rule, a comment with the page's number, none",
    )
    frontmatter: bool = Field(default=False, description="Begin markdown with YAML front matter")
    toc: bool = Field(default=False, description="Begin the text with a table of contents")
    join: bool = Field(
        default=False, description="Join paragraphs and tables that run over a page's end"
    )
    repair: bool = Field(default=False, description="Repair line breaks and broken lists")
    headings: bool = Field(default=False, description="Make levels of headings consistent")
    captions: bool = Field(default=False, description="Put captions beside figures and tables")
    unescape: bool = Field(default=False, description="Undo double escapes")
    chunk_size: int = Field(
        default=2000, ge=MIN_CHUNK, le=MAX_CHUNK, description="Most characters of a chunk"
    )
    chunk_overlap: int = Field(
        default=0, ge=0, description="Most characters that a chunk repeats of the one before"
    )

    redact: list[str] = Field(
        default=[],
        description="What is taken out of text and pictures: words, `/regular expressions/`, or "
        "`email`, `number`, `iban`, `phone`, `card`",
    )

    def options(self) -> ExportOptions:
        """Raises `InvalidField`."""
        values = {name: getattr(self, name) for name in ExportFields.model_fields}
        return ExportOptions(**{**values, "redact": tuple(self.redact)})


class ExportQuery(ExportFields):
    model_config = ConfigDict(extra="forbid")  # a mistyped option would change nothing

    format: str = Field(
        default="markdown", description="The key of a format, see `formats` of `/api/modes`"
    )


class FormatAvailability(BaseModel):
    key: str
    missing: list[str] = Field(
        description="What the format needs and the result lacks; empty: it can be made"
    )


class AvailableFormats(BaseModel):
    """The formats, and which of them a result can be had as."""

    formats: list[FormatAvailability]


class ExportLink(BaseModel):
    """Where an export can be downloaded without a key."""

    url: str
    expiresSeconds: int
    """How long the link is valid."""
