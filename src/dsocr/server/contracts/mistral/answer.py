"""The response of `POST /v1/ocr`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from dsocr.exports.figures import crop_figures, figure_boxes
from dsocr.exports.markdown import page_text
from dsocr.exports.running_heads import running_heads, without_blocks
from dsocr.server.contracts.mistral.blocks import serialize_blocks
from dsocr.server.contracts.mistral.parts import (
    FOOTERS,
    HEADERS,
    PageTable,
    corners,
    furniture,
    furniture_places,
    tables_apart,
)
from dsocr.server.contracts.mistral.request import OcrRequest
from dsocr.server.contracts.mistral.scores import page_scores
from dsocr.server.contracts.reading import Reading
from dsocr.types import Box, PageResult


def serialize_reading(reading: Reading, asked: OcrRequest, num_bytes: int) -> dict[str, Any]:
    """Runs in a thread: figures are cropped from the page images."""
    document = reading.document
    heads = running_heads(document.pages)
    pages = []
    images_left = asked.image_limit
    for place, page in enumerate(document.pages):
        figures = _figures(page, asked, images_left)
        images_left = None if images_left is None else images_left - len(figures)
        pages.append(_serialize_page(page, place, reading, asked, figures, heads[place]))
    return {
        "pages": pages,
        "model": document.model,
        "document_annotation": None,
        "usage_info": {"pages_processed": len(pages), "doc_size_bytes": num_bytes},
    }


def _figures(page: PageResult, asked: OcrRequest, most: int | None) -> dict[str, Box]:
    """The boxes of the figures to return, by the path in the page's markdown."""
    smallest = asked.image_min_size or 0
    chosen = {}
    for path, box in figure_boxes(page).items():
        left, top, right, bottom = box.pixels(page.width, page.height)
        if right - left >= smallest and bottom - top >= smallest:
            chosen[path] = box
    return dict(list(chosen.items())[:most])


def _serialize_page(
    page: PageResult,
    place: int,
    reading: Reading,
    asked: OcrRequest,
    figures: Mapping[str, Box],
    heads: frozenset[int],
) -> dict[str, Any]:
    ids = {path: f"img-{number}.jpeg" for number, path in enumerate(figures)}
    markdown, tables = _markdown(page, asked, ids, heads)
    answer: dict[str, Any] = {
        "index": reading.numbers[place],
        "markdown": markdown,
        "images": _images(page, reading, asked, figures, ids),
        "dimensions": _dimensions(page, reading.resolutions[place]),
        "tables": [_table(table, page, asked) for table in tables],
        "hyperlinks": [],
        "header": furniture(page, HEADERS) if asked.extract_header else None,
        "footer": furniture(page, FOOTERS) if asked.extract_footer else None,
    }
    if asked.confidence_scores_granularity:
        with_words = asked.confidence_scores_granularity == "word"
        answer["confidence_scores"] = page_scores(page, markdown, with_words=with_words)
    if asked.include_blocks:
        answer["blocks"] = serialize_blocks(page, asked, ids, tables)
    return answer


def _markdown(
    page: PageResult, asked: OcrRequest, ids: Mapping[str, str], heads: frozenset[int]
) -> tuple[str, list[PageTable]]:
    """The page's text in the contract's form, and the tables that are taken out of it."""
    labels = HEADERS if asked.extract_header else ()
    labels += FOOTERS if asked.extract_footer else ()
    markdown = page_text(without_blocks(page, heads | furniture_places(page, labels)))
    for path in figure_boxes(page):
        name = ids.get(path)
        markdown = markdown.replace(f"![]({path})", f"![{name}]({name})" if name else "")
    if asked.table_format is None:
        return markdown, []
    return tables_apart(markdown, asked.table_format)


def _images(
    page: PageResult,
    reading: Reading,
    asked: OcrRequest,
    figures: Mapping[str, Box],
    ids: Mapping[str, str],
) -> list[dict[str, Any]]:
    crops: Mapping[str, bytes] = {}
    if asked.include_image_base64 and figures:
        crops = crop_figures(page, reading.assets)
    return [
        {
            "id": ids[path],
            **corners((box,), page),
            "image_base64": _data_url(crops[path]) if path in crops else None,
            "image_annotation": None,
        }
        for path, box in figures.items()
    ]


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _dimensions(page: PageResult, dpi: float | None) -> dict[str, int]:
    return {"dpi": round(dpi or 0), "height": page.height, "width": page.width}


def _table(table: PageTable, page: PageResult, asked: OcrRequest) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "id": table.id,
        "content": table.content,
        "format": asked.table_format,
    }
    if asked.confidence_scores_granularity == "word":
        scores = page_scores(page, table.content, with_words=True, only_found=True)
        answer["word_confidence_scores"] = scores["word_confidence_scores"] if scores else []
    return answer
