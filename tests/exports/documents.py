"""Documents to export, made as the pipeline makes them: from raw output."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

from dsocr.engines.deepseek.grounding import clean_markdown, parse
from dsocr.engines.deepseek.prompts import DEFAULT_PROMPT
from dsocr.types import (
    Document,
    OcrOptions,
    PageFailure,
    PageImage,
    PageResult,
    SourcePage,
    Usage,
)

GOLDENS = json.loads((Path(__file__).parents[1] / "data" / "grammar.json").read_text("utf-8"))
RAW: dict[str, str] = {case["name"]: case["raw"] for case in GOLDENS["cases"]}
SIZE = (901, 1277)


def page(raw: str, index: int = 0) -> PageResult:
    return PageResult(
        index=index,
        width=SIZE[0],
        height=SIZE[1],
        markdown=clean_markdown(raw, page_index=index),
        blocks=tuple(parse(raw)),
        raw=raw,
        usage=Usage(seconds=1.25),
    )


def failed_page(index: int) -> PageResult:
    failure = PageFailure("timeout", "Reading the page took too <long>.", retryable=True)
    return PageResult(index, *SIZE, finish_reason="error", error=failure)


def document(*pages: PageResult, name: str = "paper.pdf") -> Document:
    options = OcrOptions(task="markdown", mode="gundam", prompt=DEFAULT_PROMPT)
    return Document(name, "native", "deepseek-ai/DeepSeek-OCR", options, pages)


class PageImages:
    """Pages whose left half is red and right half is blue; counts how often one is asked for.
    `sources` are the places of pages in files."""

    def __init__(self, sources: Sequence[SourcePage] = ()) -> None:
        self.asked: list[int] = []
        self._sources = sources

    def page_image(self, index: int) -> bytes:
        self.asked.append(index)
        image = Image.new("RGB", SIZE, "red")
        image.paste("blue", (SIZE[0] // 2, 0, *SIZE))
        out = io.BytesIO()
        image.save(out, "PNG")
        return out.getvalue()

    def page_pixels(self, index: int) -> PageImage:
        image = Image.open(io.BytesIO(self.page_image(index)))
        return PageImage(index, image, *SIZE, dpi=150.0)

    def source_page(self, index: int) -> SourcePage | None:
        return self._sources[index] if index < len(self._sources) else None


class Elements(HTMLParser):
    """The tags of an HTML text, each with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
