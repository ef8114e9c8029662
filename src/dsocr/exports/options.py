"""What can be chosen about a file beside its format. The defaults are the plain file: every rule
that rewrites the text is off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args, get_origin, get_type_hints

from dsocr.errors import InvalidField
from dsocr.types import Headers

Math = Literal["brackets", "dollars"]
"""Delimiters of formulas: `\\(`, or `$`."""
Tables = Literal["html", "markdown"]
Figures = Literal["linked", "embedded"]
Breaks = Literal["rule", "comment", "none"]
"""Between two pages: a rule, a comment with the page's number, or an empty line."""

MIN_CHUNK, MAX_CHUNK = 100, 100_000


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Raises `InvalidField` for a value that an option does not have."""

    headers: Headers = "omit"
    """Running heads that repeat over the pages: left out of the text, or kept."""
    math: Math = "brackets"
    tables: Tables = "html"
    figures: Figures = "linked"
    """Of markdown: links to files, or images inside the text."""
    breaks: Breaks = "rule"
    frontmatter: bool = False
    """Whether markdown begins with the document's name, pages and engine as YAML."""
    toc: bool = False
    """Whether a list of the headings comes first."""
    join: bool = False
    """Whether paragraphs and tables that run over a page's end are joined."""
    repair: bool = False
    """Whether line breaks inside paragraphs and broken lists are repaired."""
    headings: bool = False
    """Whether the levels of headings are made consistent over the document."""
    captions: bool = False
    """Whether captions are put beside their figures and tables."""
    unescape: bool = False
    """Whether double escapes are undone."""
    chunk_size: int = 2000
    """Characters of a chunk at most; a table's row may be longer."""
    chunk_overlap: int = 0
    """Characters of the chunk before that a chunk begins with, at most."""

    redact: tuple[str, ...] = field(default=(), repr=False)
    """Patterns of what is taken out: words, `/regular expressions/`, or names of classes."""

    def __post_init__(self) -> None:
        for name, values in CHOICES.items():
            if getattr(self, name) not in values:
                raise InvalidField(f"{name}: write {' or '.join(values)}")
        if not MIN_CHUNK <= self.chunk_size <= MAX_CHUNK:
            raise InvalidField(f"chunk_size: write a number from {MIN_CHUNK} to {MAX_CHUNK}")
        if self.redact:
            from dsocr.exports.redaction.patterns import compile_patterns

            compile_patterns(self.redact)
        if not 0 <= self.chunk_overlap <= self.chunk_size // 2:
            raise InvalidField("chunk_overlap: write a number from 0 to half of chunk_size")

    def changed(self) -> dict[str, str | list[str]]:
        """The options that are not the defaults, as fields of a request."""
        values = {name: getattr(self, name) for name in get_type_hints(ExportOptions)}
        return {
            name: _field(value)
            for name, value in values.items()
            if value != getattr(DEFAULTS, name)
        }

    @property
    def rewrites(self) -> bool:
        """Whether a rule rewrites the text of pages, whatever the format."""
        return any(getattr(self, name) for name in RULES)


def _field(value: object) -> str | list[str]:
    if isinstance(value, tuple):
        return list(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


RULES = ("toc", "join", "repair", "headings", "captions", "unescape")
CHOICES: dict[str, tuple[str, ...]] = {
    name: get_args(kind)
    for name, kind in get_type_hints(ExportOptions).items()
    if get_origin(kind) is Literal
}
DEFAULTS = ExportOptions()
