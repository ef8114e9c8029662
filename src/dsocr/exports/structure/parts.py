"""A page's markdown as parts: headings, paragraphs, lists, tables and figures, each with the boxes
of the block that it is from. The rules of this package and other formats use these parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from dsocr.exports.figures import figure_boxes
from dsocr.types import Block, Box, PageResult

Kind = Literal[
    "heading", "text", "list", "table", "figure", "caption", "formula", "code", "footnote", "edge"
]
"""`edge`: a running head, a footer or a page number."""

HEADING = re.compile(r"(#{1,6})[ \t]+(?=\S)")
MARKER = re.compile(r"[ \t]*(?:[-*+•·▪◦●○‣]|\(?\d{1,3}[.)]|\(?[a-zA-Z][)])[ \t]+(?=\S)")
FIGURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]*)\)")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_LABELS: dict[str, Kind] = {
    **dict.fromkeys(("image_caption", "figure_caption", "table_caption"), "caption"),
    **dict.fromkeys(("footnote", "image_footnote", "table_footnote"), "footnote"),
    **dict.fromkeys(("header", "footer", "page_number"), "edge"),
    **dict.fromkeys(("equation", "formula"), "formula"),
    "code": "code",
    "list": "list",
}
_DIVIDER = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph of a page's markdown, or what stands in place of one."""

    kind: Kind
    text: str
    """Markdown, without blank lines around it."""
    boxes: tuple[Box, ...] = ()
    label: str = ""
    """The label of its block; empty where it is from none."""
    block: int | None = None
    """The place of its block on the page."""
    is_line: bool = False
    """Whether it follows the part before without an empty line."""

    @property
    def level(self) -> int:
        """Of a heading, from 1; else 0."""
        found = HEADING.match(self.text)
        return len(found[1]) if found and self.kind == "heading" else 0


def parts_of(page: PageResult) -> list[Part]:
    """The parts in order. Text that no block has, such as a person's, is a part without boxes."""
    figures = figure_boxes(page)
    text, at = page.markdown, 0
    found: list[Part] = []
    for place, block in enumerate(page.blocks):
        start = _place_of(block.text, text, at) if block.text else -1
        if start >= 0:
            found += _parts(text[at:start], figures)
            is_line = bool(found) and text[start - 2 : start] != "\n\n"
            found += _parts_of_block(block, place, is_line)
            at = start + len(block.text)
    return [*found, *_parts(text[at:], figures)]


def markdown_of(parts: Iterable[Part]) -> str:
    """The parts as one text."""
    text = ""
    for part in parts:
        text += ("" if not text else "\n" if part.is_line else "\n\n") + part.text
    return text


def kind_of(text: str, label: str = "") -> Kind:
    """What a paragraph is, by its block's label or its own marks."""
    by_marks = _kind_by_marks(text)
    if by_marks in ("table", "figure"):
        return by_marks
    return _LABELS.get(label) or by_marks


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a markdown text; code in a fence and a table stay whole."""
    held: list[str] = []
    fenced = table = False
    for paragraph in text.split("\n\n"):
        held.append(paragraph)
        fenced ^= sum(bool(_FENCE.match(line)) for line in paragraph.split("\n")) % 2 == 1
        lower = paragraph.lower() if "<" in paragraph else ""
        if lower:
            table = (table or "<table" in lower) and lower.rfind("</table") <= lower.rfind("<table")
        if not fenced and not table:
            if whole := "\n\n".join(held).strip("\n"):
                yield whole
            held = []
    if whole := "\n\n".join(held).strip("\n"):
        yield whole


def _kind_by_marks(text: str) -> Kind:
    start = text.lstrip()
    if HEADING.match(start):
        return "heading"
    if start[:6].lower() == "<table" or _is_pipe_table(start):
        return "table"
    if FIGURE.fullmatch(start.rstrip()):
        return "figure"
    if start.startswith("\\[") and start.rstrip().endswith("\\]"):
        return "formula"
    if _FENCE.match(start):
        return "code"
    return "list" if MARKER.match(start) else "text"


def _is_pipe_table(text: str) -> bool:
    lines = text.split("\n", 2)
    return len(lines) > 1 and "|" in lines[0] and bool(_DIVIDER.fullmatch(lines[1]))


def _parts(text: str, figures: dict[str, Box]) -> Iterator[Part]:
    for paragraph in paragraphs(text):
        link = FIGURE.fullmatch(paragraph)
        box = figures.get(link[2]) if link else None
        yield Part(kind_of(paragraph), paragraph, (box,) if box else ())


def _parts_of_block(block: Block, place: int, is_line: bool) -> Iterator[Part]:
    for paragraph in paragraphs(block.text):
        kind = kind_of(paragraph, block.label)
        yield Part(kind, paragraph, block.boxes, block.label, place, is_line)
        is_line = False


def _place_of(wanted: str, text: str, at: int) -> int:
    """Where whole lines of `text` are the wanted ones, from `at`; -1 if nowhere."""
    start = text.find(wanted, at)
    while start >= 0:
        end = start + len(wanted)
        if text[start - 1 : start] in ("", "\n") and text[end : end + 1] in ("", "\n"):
            return start
        start = text.find(wanted, start + 1)
    return -1
