"""Documents in the shape of MinerU's results."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from dsocr.exports import render
from dsocr.exports.figures import crop_figures
from dsocr.exports.layout.lines import surrounding
from dsocr.exports.options import ExportOptions
from dsocr.server.contracts.mineru.options import Chosen
from dsocr.server.contracts.reading import Reading
from dsocr.types import PageResult

_HEADINGS = {"title": 1, "sub_title": 2}


def results_of(readings: Sequence[Reading], chosen: Chosen) -> dict[str, dict[str, Any]]:
    """By the file's name without its extension; a name that comes again gets a number."""
    results: dict[str, dict[str, Any]] = {}
    for reading in readings:
        stem = PurePosixPath(reading.document.name).stem or "document"
        name, number = stem, 1
        while name in results:
            number += 1
            name = f"{stem}-{number}"
        results[name] = _result(reading, chosen)
    return results


def _result(reading: Reading, chosen: Chosen) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if chosen.return_md:
        options = ExportOptions(breaks="none")
        result["md_content"] = render(reading.document, "markdown", None, options).decode().strip()
    if chosen.return_content_list:
        pages = zip(reading.document.pages, reading.numbers, strict=True)
        items = [item for page, number in pages for item in _items(page, number)]
        result["content_list"] = json.dumps(items, ensure_ascii=False)
    if chosen.return_images:
        result["images"] = {
            PurePosixPath(path).name: f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
            for page in reading.document.pages
            for path, data in crop_figures(page, reading.assets).items()
        }
    return result


def _items(page: PageResult, number: int) -> list[dict[str, Any]]:
    """The page's blocks; boxes are thousandths of its width and height."""
    items = []
    for block in page.blocks:
        is_table, is_image = block.label == "table", block.label == "image"
        item: dict[str, Any] = {"type": "table" if is_table else "image" if is_image else "text"}
        item["table_body" if is_table else "text"] = block.text
        if block.label in _HEADINGS:
            item["text_level"] = _HEADINGS[block.label]
        if block.boxes:
            item["bbox"] = list(surrounding(block.boxes).pixels(1000, 1000))
        items.append({**item, "page_idx": number})
    return items


def zipped(results: dict[str, dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, result in results.items():
            if "md_content" in result:
                archive.writestr(f"{name}/{name}.md", result["md_content"])
            if "content_list" in result:
                archive.writestr(f"{name}/{name}_content_list.json", result["content_list"])
            for path, url in result.get("images", {}).items():
                archive.writestr(f"{name}/images/{path}", base64.b64decode(url.partition(",")[2]))
    return out.getvalue()
