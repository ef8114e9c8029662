"""Documents in the shape of docling-serve's results."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from dsocr.exports import render
from dsocr.exports.options import ExportOptions
from dsocr.server.contracts.docling.options import Chosen, OutputFormat
from dsocr.server.contracts.documents import failed_pages
from dsocr.server.contracts.reading import Reading

IMAGE_PLACEHOLDER = "<!-- image -->"
CHARACTERS_A_TOKEN = 4
DEFAULT_CHUNK_TOKENS = 512
_FIGURE = re.compile(r"!\[[^\]\n]*\]\([^)\s]*\)")
_EXTENSIONS = {"md": "md", "json": "json", "html": "html", "text": "txt", "doctags": "doctags"}


def converted(readings: Sequence[Reading], chosen: Chosen, seconds: float) -> dict[str, Any]:
    """The answer for one document. To be called in a thread, as all functions here."""
    [reading] = readings
    return {
        "document": _contents(reading, chosen),
        "status": _status(reading),
        "errors": _errors(reading),
        "processing_time": seconds,
        "timings": {},
    }


def zipped(readings: Sequence[Reading], chosen: Chosen) -> bytes:
    """The documents as files, each format of each."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, reading in enumerate(readings):
            stem = PurePosixPath(reading.document.name).stem or "document"
            stem = f"{stem}-{number + 1}" if len(readings) > 1 else stem
            for format in dict.fromkeys(chosen.to_formats):
                content = _content(reading, format, chosen)
                text = content if isinstance(content, str) else json.dumps(content)
                archive.writestr(f"{stem}.{_EXTENSIONS[format]}", text)
    return out.getvalue()


def chunked(readings: Sequence[Reading], chosen: Chosen, seconds: float) -> dict[str, Any]:
    chunks = [chunk for reading in readings for chunk in _chunks(reading, chosen)]
    documents = [
        {
            "kind": "ExportResult",
            "content": _contents(reading, chosen) if chosen.include_converted_doc else _empty(name),
            "status": _status(reading),
            "errors": _errors(reading),
            "timings": {},
        }
        for reading in readings
        for name in (reading.document.name,)
    ]
    return {"chunks": chunks, "documents": documents, "processing_time": seconds}


def _contents(reading: Reading, chosen: Chosen) -> dict[str, Any]:
    found = _empty(reading.document.name)
    for format in chosen.to_formats:
        found[f"{format}_content"] = _content(reading, format, chosen)
    return found


def _empty(name: str) -> dict[str, Any]:
    return {"filename": name, **{f"{format}_content": None for format in _EXTENSIONS}}


def _content(reading: Reading, format: OutputFormat, chosen: Chosen) -> Any:
    embeds = chosen.image_export_mode == "embedded" and chosen.include_images
    assets = reading.assets if embeds else None
    if format == "md":
        return _markdown(reading, chosen, embeds)
    if format == "json":
        return json.loads(render(reading.document, "docling", assets))
    text = render(reading.document, format, assets, ExportOptions(breaks="none")).decode()
    return text.rstrip("\n")


def _markdown(reading: Reading, chosen: Chosen, embeds: bool) -> str:
    breaks = chosen.md_page_break_placeholder
    options = ExportOptions(
        tables="markdown",
        figures="embedded" if embeds else "linked",
        breaks="comment" if breaks else "none",
    )
    text = render(reading.document, "markdown", reading.assets, options).decode().rstrip("\n")
    for page in reading.document.pages if breaks else ():
        text = text.replace(f"<!-- page {page.index + 1} -->", breaks, 1)
    return text if embeds else _FIGURE.sub(IMAGE_PLACEHOLDER, text)


def _status(reading: Reading) -> str:
    pages = reading.document.pages
    failed = len(failed_pages(pages))
    if not failed:
        return "success"
    return "failure" if failed == len(pages) else "partial_success"


def _errors(reading: Reading) -> list[dict[str, Any]]:
    return [
        {
            "component_type": "model",
            "module_name": reading.document.engine,
            "error_message": message,
            "page_no": reading.numbers[place] + 1,
        }
        for place, message in failed_pages(reading.document.pages)
    ]


def _chunks(reading: Reading, chosen: Chosen) -> list[dict[str, Any]]:
    size = (chosen.chunk_tokens or DEFAULT_CHUNK_TOKENS) * CHARACTERS_A_TOKEN
    options = ExportOptions(chunk_size=size)
    lines = render(reading.document, "chunks", None, options).decode().splitlines()
    return [_chunk(json.loads(line), reading) for line in lines]


def _chunk(chunk: dict[str, Any], reading: Reading) -> dict[str, Any]:
    first, last = chunk["pages"]
    return {
        "filename": reading.document.name,
        "chunk_index": chunk["id"],
        "text": chunk["text"],
        "raw_text": None,
        "num_tokens": chunk["tokens"],
        "headings": chunk["headings"] or None,
        "captions": None,
        "doc_items": [],
        "page_numbers": list(range(first, last + 1)),
        "metadata": {"boxes": chunk["boxes"]},
    }
