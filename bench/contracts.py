"""CPU milliseconds a page for writing a document in the shape of each foreign contract.

    python -m bench.contracts [--pages 20] [--words 10] [--repeat 4]

The document is in memory, as it is when its last page is read; what is measured is all that a
contract adds, up to the bytes of its JSON. A page has a heading, paragraphs of 40 lines with scores
of their words, `--words` in each line (22 at most), a list, a formula and a table. Figures are not
cropped. The last row is a request:
a page's picture of 1 MB as base64 in JSON, parsed and decoded. Each number is the least of the
repetitions.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json

from bench.exports import INFO, OPTIONS, page_result
from dsocr.server.contracts import liteparse, marker, openwebui, paddleocr, tika
from dsocr.server.contracts.azure.result import analyzed
from dsocr.server.contracts.body import decoded_data
from dsocr.server.contracts.docling.options import Chosen as DoclingChosen
from dsocr.server.contracts.docling.output import chunked, converted
from dsocr.server.contracts.mineru.options import Chosen as MineruChosen
from dsocr.server.contracts.mineru.output import results_of
from dsocr.server.contracts.mistral.answer import serialize_reading
from dsocr.server.contracts.mistral.request import OcrRequest
from dsocr.server.contracts.page_texts import PageTexts
from dsocr.server.contracts.reading import Reading
from dsocr.types import Document, PageResult, TextLine

MISTRAL: dict[str, Any] = {
    "document": {"type": "document_url", "document_url": "data:,"},
    "table_format": "html",
    "include_blocks": True,
    "extract_header": True,
    "extract_footer": True,
    "confidence_scores_granularity": "word",
}
BODY = json.dumps({"file": base64.b64encode(bytes(range(256)) * 4096).decode()}).encode()


class NoImages(Mapping[int, Any]):
    """The page images of a document of which none is asked for."""

    def __getitem__(self, index: int) -> Any:
        raise KeyError(index)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def scored(line: TextLine, num_words: int) -> TextLine:
    """The first words of the line, each with a score."""
    words, at = [], 0
    for word in line.text.split(" ")[:num_words]:
        words.append((at, at + len(word), 0.98))
        at += len(word) + 1
    return dataclasses.replace(line, text=line.text[: at - 1], words=tuple(words))


def reading_of(num_pages: int, num_words: int) -> Reading:
    pages: list[PageResult] = []
    for number in range(num_pages):
        page = page_result(number, has_figure=False)
        lines = tuple(scored(line, num_words) for line in page.lines)
        pages.append(dataclasses.replace(page, lines=lines))
    document = Document("a.pdf", INFO.name, INFO.model, OPTIONS, tuple(pages))
    return Reading(document, range(num_pages), [None] * num_pages, NoImages())  # type: ignore[arg-type]


def streamed(reading: Reading) -> str:
    texts: list[str] = []
    writer = PageTexts(texts.append)
    for place, page in enumerate(reading.document.pages):
        writer.add(place, page, len(reading.document.pages))
    return "".join(texts)


def translations(reading: Reading) -> dict[str, Callable[[], Any]]:
    every = DoclingChosen(to_formats=["md", "json"], image_export_mode="placeholder")
    chunks = DoclingChosen(chunk_tokens=512)
    asked = OcrRequest.model_validate(MISTRAL)
    lists = MineruChosen(return_content_list=True)
    return {
        "openai": lambda: streamed(reading),
        "mistral, blocks and scores of words": lambda: serialize_reading(reading, asked, 1),
        "tika": lambda: asyncio.run(tika._content(reading, "text")),
        "openwebui": lambda: openwebui._pages(reading),
        "docling, markdown": lambda: converted([reading], DoclingChosen(), 0.0),
        "docling, markdown and JSON": lambda: converted([reading], every, 0.0),
        "docling, chunks": lambda: chunked([reading], chunks, 0.0),
        "azure": lambda: analyzed(reading, "m", "v", "text", "textElements"),
        "mineru, markdown and content list": lambda: results_of([reading], lists),
        "liteparse": lambda: [liteparse._lines(page) for page in reading.document.pages],
        "marker": lambda: marker._output(reading, marker.Chosen(images=False)),
        "paddleocr": lambda: paddleocr._result(reading),
    }


def cpu_seconds(work: Callable[[], Any], repeat: int) -> float:
    """Of the fastest of `repeat` calls."""
    found = []
    for _ in range(repeat):
        began = time.process_time()
        result = work()
        if not isinstance(result, bytes):  # Azure's is JSON already
            to_json(result)
        found.append(time.process_time() - began)
    return min(found)


def request() -> int:
    body = paddleocr.LayoutParsing.model_validate_json(BODY)
    return len(decoded_data(body.file, "file"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--words", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=4)
    given = parser.parse_args()
    reading = reading_of(given.pages, given.words)
    print("| contract | CPU ms a page |\n| --- | --- |")
    for name, work in translations(reading).items():
        print(f"| {name} | {cpu_seconds(work, given.repeat) / given.pages * 1000:.2f} |")
    print(f"| a request with a picture of 1 MB | {cpu_seconds(request, given.repeat) * 1000:.2f} |")


if __name__ == "__main__":
    main()
