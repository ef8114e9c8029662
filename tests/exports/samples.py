"""One small document with a bit of everything, and one of many pages."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from dsocr.engines.deepseek.grounding import markdown_of
from dsocr.types import Block, Box, Document, PageResult, TextLine
from tests.exports.documents import SIZE, document, failed_page

ARABIC = "مرحبا بالعالم 2024"
CHINESE = "第一章 文档识别系统的设计与实现。"
TABLE = (
    "<table><tr><th>Year</th><th colspan=2>Sales</th></tr>"
    "<tr><td>2023</td><td>1,5</td><td>a | b</td></tr></table>"
)


def line(text: str, top: float, confidence: float | None = 0.97) -> TextLine:
    return TextLine(text, Box(0.1, top, 0.9, top + 0.02), confidence)


def block(label: str, text: str, top: float, bottom: float) -> Block:
    return Block(label, text, (Box(0.1, top, 0.9, bottom),), 0.9)


def made(*blocks: Block, index: int = 0, lines: tuple[TextLine, ...] = ()) -> PageResult:
    markdown = markdown_of(blocks, page_index=index)
    return PageResult(index, *SIZE, markdown=markdown, blocks=blocks, lines=lines, raw="raw")


def first_page(index: int = 0) -> PageResult:
    return made(
        block("title", "# A Report", 0.05, 0.08),
        block("text", "Some words & more\nof a second line with \\(x^2\\).", 0.1, 0.16),
        block("list", "- one\n- two", 0.2, 0.26),
        block("equation", "\\[a = \\frac{b}{c}\\]", 0.3, 0.35),
        block("table", TABLE, 0.4, 0.5),
        block("image", "", 0.55, 0.7),
        block("image_caption", "Figure 1: A [red] square.", 0.71, 0.73),
        block("text", ARABIC, 0.8, 0.82),
        block("text", CHINESE, 0.85, 0.87),
        index=index,
        lines=(
            line("A Report", 0.055),
            line("Some words & more", 0.11),
            line("of a second line with x²\x07.", 0.135, None),
            line(ARABIC, 0.8),
            line(CHINESE, 0.85),
            line("beside all blocks", 0.95),
        ),
    )


def report() -> Document:
    """A page with lines, one with blocks alone, and one that failed."""
    second = replace(first_page(1), lines=())
    return document(first_page(), second, failed_page(2), name="a <report>.pdf")


@lru_cache(1)
def long_document(pages: int) -> Document:
    whole = [
        made(
            block("sub_title", f"## {number}.1 Part {number}", 0.1, 0.12),
            *(
                block("text", f"Words {n} of page {number}. " * 8, n / 10, n / 10 + 0.08)
                for n in range(2, 8)
            ),
            block("table", TABLE, 0.85, 0.95),
            index=number,
        )
        for number in range(pages)
    ]
    return document(*whole)
