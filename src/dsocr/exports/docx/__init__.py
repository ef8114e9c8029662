"""A document as a Word file. The text is written page by page; nothing of it is held."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from dsocr.exports import Assets
from dsocr.exports.captions import is_caption, page_captions
from dsocr.exports.docx.body import Body
from dsocr.exports.docx.inline import inline
from dsocr.exports.docx.package import Package
from dsocr.exports.docx.pictures import drawing
from dsocr.exports.docx.runs import PLAIN
from dsocr.exports.figures import crop_figures, figure_boxes
from dsocr.exports.language.guess import LanguageGuess
from dsocr.exports.markdown import page_text
from dsocr.exports.markup.footnotes import split_footnotes
from dsocr.exports.markup.safe_html import to_safe_html
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.exports.text import plain
from dsocr.types import Document, PageResult


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """Each page begins on a new one unless `breaks` is `none`. Without `assets` figures are left
    out."""
    page_breaks = options.breaks != "none"
    package = Package(out)
    guess = LanguageGuess()
    try:
        for number, page in enumerate(document.pages):
            text = page_text(page)
            guess.add(text)
            _Page(page, package, assets).write(text, page_break=page_breaks and number > 0)
        title = Path(document.name).stem or "document"
        package.close(title, guess.language(), guess.east_asian())
    except BaseException:
        package.discard()
        raise


class _Page:
    """What the text of one page refers to: its figures and its footnotes."""

    def __init__(self, page: PageResult, package: Package, assets: Assets | None) -> None:
        self._page = page
        self._package = package
        self._figures = crop_figures(page, assets)
        self._boxes = figure_boxes(page)
        self._relations: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    def write(self, text: str, *, page_break: bool) -> None:
        text, self._notes = split_footnotes(text)
        captions = page_captions(self._page)
        body = Body(
            self._package,
            figure=self._figure,
            add_note=self._note,
            is_caption=lambda paragraph: is_caption(paragraph, captions),
            page_break=page_break,
        )
        body.feed(to_safe_html(text))
        body.finish()

    def _figure(self, path: str, alt: str) -> str | None:
        content = self._figures.get(path)
        if content is None:
            return None
        name = path.rpartition("/")[2]
        if path not in self._relations:
            self._relations[path] = self._package.add_figure(name, content)
        return drawing(
            self._boxes[path],
            self._page,
            number=self._package.next_drawing(),
            name=name,
            relation=self._relations[path],
            alt=alt,
        )

    def _note(self, label: str) -> int | None:
        """Each reference is a footnote of its own: Word numbers them by their places."""
        text = self._notes.get(label)
        if text is None:
            return None
        return self._package.add_note(inline(plain(text), PLAIN, lambda label: None))
