"""The blocks of a page in the contract's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsocr.server.contracts.mistral.parts import PageTable, corners
from dsocr.server.contracts.mistral.request import OcrRequest
from dsocr.server.contracts.mistral.scores import block_scores
from dsocr.types import FIGURE_LABEL, Block, PageResult, figure_path

_TYPES = {
    "title": "title",
    "sub_title": "title",
    "list": "list",
    "table": "table",
    "equation": "equation",
    "formula": "equation",
    "code": "code",
    "reference": "references",
    "header": "header",
    "footer": "footer",
    "page_number": "footer",
    "footnote": "aside_text",
}
"""By the block's label; a label that is not here is text, or a caption by its name."""


def serialize_blocks(
    page: PageResult, asked: OcrRequest, ids: Mapping[str, str], tables: Sequence[PageTable]
) -> list[dict[str, Any]]:
    """In reading order. A figure is one block for each of its boxes; those that are not returned
    as images are left out."""
    blocks: list[dict[str, Any]] = []
    num_figures = 0
    tables_left = list(tables)
    for block in page.blocks:
        if block.label == FIGURE_LABEL:
            for box in block.boxes:
                name = ids.get(figure_path(page.index, num_figures))
                num_figures += 1
                if name is not None:
                    found = {"type": "image", **corners((box,), page), "content": block.text}
                    blocks.append({**found, "image_id": name})
            continue
        kind = _type_of(block)
        found = {"type": kind, **corners(block.boxes, page), "content": block.text}
        if kind == "table":
            found["table_id"] = _table_id(block, tables_left)
        if asked.confidence_scores_granularity == "block":
            found["confidence_scores"] = block_scores(block, page)
        blocks.append(found)
    return blocks


def _type_of(block: Block) -> str:
    if block.label.endswith("_caption"):
        return "caption"
    return _TYPES.get(block.label, "text")


def _table_id(block: Block, tables: list[PageTable]) -> str | None:
    """Of the first table with the block's text that no earlier block has taken."""
    for place, table in enumerate(tables):
        if table.source in block.text:
            return tables.pop(place).id
    return None
