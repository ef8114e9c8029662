"""The text of a page: safe HTML to paragraphs, lists, tables and figures of Word."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import TypedDict

from dsocr.exports.docx.inline import AddNote, inline
from dsocr.exports.docx.package import Package
from dsocr.exports.docx.runs import Style, paragraph_direction, runs
from dsocr.exports.docx.tables import table_xml
from dsocr.exports.tables.grid import Grid, GridBuilder

LEVELS = 9
"""Of nested lists."""
_INDENT = 360
_SCHEMES = ("http://", "https://", "mailto:")
_HEADING = re.compile("h([1-6])")


class _Change(TypedDict, total=False):
    bold: bool
    italic: bool
    strike: bool
    underline: bool
    subscript: bool
    superscript: bool
    code: bool


_STYLES: dict[str, _Change] = {
    "strong": {"bold": True},
    "b": {"bold": True},
    "em": {"italic": True},
    "i": {"italic": True},
    "s": {"strike": True},
    "del": {"strike": True},
    "u": {"underline": True},
    "sub": {"subscript": True},
    "sup": {"superscript": True},
    "code": {"code": True},
}
_CONTAINERS = {"p", "blockquote", "li", "ul", "ol", "pre"}


@dataclass(slots=True)
class _List:
    number: int
    level: int


class Body(HTMLParser):
    """Emits the paragraphs of one page into the package."""

    def __init__(
        self,
        package: Package,
        *,
        figure: Callable[[str, str], str | None],
        add_note: AddNote,
        is_caption: Callable[[str], bool],
        page_break: bool,
    ) -> None:
        """`figure` gives the run of the figure at a path, with that alternative text."""
        super().__init__(convert_charrefs=True)
        self._package = package
        self._figure = figure
        self._add_note = add_note
        self._is_caption = is_caption
        self._page_break = page_break
        self._pieces: list[str] = []
        self._text: list[str] = []
        self._styles: list[Style] = [Style()]
        self._links: list[bool] = []
        self._lists: list[_List] = []
        self._starts_item = False
        self._heading = 0
        self._quotes = 0
        self._preformatted = False
        self._has_figure = False
        self._table: GridBuilder | None = None
        self._table_depth = 0
        self._after_table = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._table is not None or tag == "table":
            self._start_in_table(tag, attrs)
            return
        found = {name: value or "" for name, value in attrs}
        if heading := _HEADING.fullmatch(tag):
            self.end_paragraph()
            self._heading = int(heading[1])
        elif tag in _CONTAINERS:
            self.end_paragraph()
            self._open(tag, found)
        elif tag in _STYLES and not (tag == "code" and self._preformatted):
            self._styles.append(replace(self._styles[-1], **_STYLES[tag]))
        else:
            self._inline_tag(tag, found)

    def handle_endtag(self, tag: str) -> None:
        if self._table is not None:
            self._end_in_table(tag)
        elif tag in _CONTAINERS or _HEADING.fullmatch(tag):
            self.end_paragraph()
            self._close(tag)
        elif tag in _STYLES and len(self._styles) > 1 and not self._preformatted:
            self._styles.pop()
        elif tag == "a" and self._links and self._links.pop():
            self._pieces.append("</w:hyperlink>")
            self._styles.pop()

    def handle_data(self, data: str) -> None:
        if self._table is not None:
            self._table.data(data)
            return
        if self._preformatted:
            data = data.rstrip("\n")
        else:
            data = re.sub(r"\s+", " ", data)
            data = data if self._pieces else data.lstrip()
        if data:
            self._text.append(data)
            style = self._styles[-1]
            written = runs(data, style) if self._preformatted else self._inline(data, style)
            self._pieces.append(written)

    def finish(self) -> None:
        """Ends the page. A page without any text keeps its place as an empty paragraph."""
        self.close()
        while self._links:
            self.handle_endtag("a")
        if self._table is not None:
            self._write_table(self._table.grid())
        self.end_paragraph()
        if self._page_break or self._after_table:
            self._write("")

    def end_paragraph(self) -> None:
        """Writes the paragraph so far, if it has any content."""
        if self._links and self._pieces:  # a link that goes on in the next paragraph
            self._pieces.append("</w:hyperlink>" if self._links[-1] else "")
            self._styles = self._styles[:1]
            self._links.clear()
        text = "".join(self._text).strip()
        if text or self._has_figure:
            self._write("".join(self._pieces), text)
            self._starts_item = False
        self._pieces, self._text, self._has_figure = [], [], False

    def _inline(self, text: str, style: Style) -> str:
        return inline(text, style, self._add_note)

    def _open(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in ("ul", "ol"):
            level = min(len(self._lists), LEVELS - 1)
            start = attributes.get("start", "1")
            number = self._package.add_list(
                ordered=tag == "ol",
                level=level,
                start=int(start[:9]) if start.isdecimal() else 1,
            )
            self._lists.append(_List(number, level))
        elif tag == "li":
            self._starts_item = True
        elif tag == "blockquote":
            self._quotes += 1
        elif tag == "pre":
            self._preformatted = True

    def _close(self, tag: str) -> None:
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag == "li":
            self._starts_item = False
        elif tag == "blockquote":
            self._quotes -= 1
        elif tag == "pre":
            self._preformatted = False
        else:
            self._heading = 0

    def _inline_tag(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "br":
            self._pieces.append("<w:r><w:br/></w:r>")
        elif tag == "hr":
            self.end_paragraph()
            line = (
                '<w:pBdr><w:bottom w:val="single" w:sz="6" w:space="1" w:color="808080"/></w:pBdr>'
            )
            self._write("", properties=line)
        elif tag == "img":
            self._add_figure(attributes)
        elif tag == "a":
            self._open_link(attributes.get("href", ""))

    def _open_link(self, target: str) -> None:
        known = target.startswith(_SCHEMES) and not any(self._links)
        self._links.append(known)
        if known:
            self._styles.append(replace(self._styles[-1], link=True))
            self._pieces.append(f'<w:hyperlink r:id="{self._package.add_link(target)}">')

    def _add_figure(self, attributes: dict[str, str]) -> None:
        alt = attributes.get("alt", "")
        drawn = self._figure(attributes.get("src", ""), alt)
        if drawn is not None:
            self._has_figure = True
            self._pieces.append(drawn)
        elif alt:
            self.handle_data(alt)

    def _start_in_table(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._table_depth += 1
            if self._table is None:
                self.end_paragraph()
                self._table = GridBuilder()
        elif self._table is not None and self._table_depth == 1:
            self._table.start_tag(tag, attrs)

    def _end_in_table(self, tag: str) -> None:
        assert self._table is not None
        if tag == "table":
            self._table_depth -= 1
            if self._table_depth <= 0:
                grid, self._table, self._table_depth = self._table.grid(), None, 0
                self._write_table(grid)
        elif self._table_depth == 1:
            self._table.end_tag(tag)

    def _write_table(self, grid: Grid) -> None:
        if grid.caption:
            caption = self._inline(grid.caption, Style())
            self._write(caption, grid.caption, properties="<w:keepNext/>", style="Caption")
        if not grid.cells:
            return
        if self._page_break or self._after_table:  # Word joins tables without a paragraph between
            self._write("")
        self._package.emit(table_xml(grid, self._inline))
        self._after_table = True

    def _write(
        self, content: str, text: str = "", *, properties: str = "", style: str = ""
    ) -> None:
        """A paragraph. `properties` come in the schema's order: keepNext or pBdr."""
        style = style or self._style(text)
        name = f'<w:pStyle w:val="{style}"/>' if style else ""
        page_break = "<w:pageBreakBefore/>" if self._page_break else ""
        keep, border = ("", properties) if "pBdr" in properties else (properties, "")
        place = self._numbering() if text or self._has_figure else ("", "")
        direction = paragraph_direction(text)
        found = f"{name}{keep}{page_break}{place[0]}{border}{direction}{place[1]}"
        written = f"<w:pPr>{found}</w:pPr>" if found else ""
        self._package.emit(f"<w:p>{written}{content}</w:p>")
        self._page_break = self._after_table = False

    def _style(self, text: str) -> str:
        if self._heading:
            return f"Heading{self._heading}"
        if self._preformatted:
            return "CodeBlock"
        if self._lists:
            return "ListParagraph"
        if self._has_figure:
            return "Figure"
        if self._is_caption(text):
            return "Caption"
        return "Quote" if self._quotes else ""

    def _numbering(self) -> tuple[str, str]:
        """The number of a list's item, or the indent of its further paragraphs."""
        if not self._lists or self._heading:
            return "", ""
        current = self._lists[-1]
        if self._starts_item:
            level = f'<w:ilvl w:val="{current.level}"/><w:numId w:val="{current.number}"/>'
            return f"<w:numPr>{level}</w:numPr>", ""
        return "", f'<w:ind w:left="{_INDENT * (current.level + 1)}"/>'
