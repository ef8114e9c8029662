"""Searches a document, and finds its tables and figures."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Iterator

from PIL import Image

from dsocr.errors import BadRequest
from dsocr.exports.captions import LABELS
from dsocr.exports.tables.grid import Grid, parse_grids
from dsocr.exports.text import plain
from dsocr.mcp.answers import Figure, Figures, Hit, Hits, Table, Tables
from dsocr.mcp.reading import boxes_of
from dsocr.mcp.service import Json, Service
from dsocr.pipeline.page_ranges import page_indices
from dsocr.types import FIGURE_LABEL

SNIPPET = 120
"""Characters on each side of a hit."""
MAX_QUERY = 400
MAX_IMAGE_SIDE = 1400
JPEG_QUALITY = 85


async def search(service: Service, job_id: str, query: str, max_results: int) -> Hits:
    """The places of the words in the order of the document, whatever their case and the line breaks
    between them. Raises `BadRequest`."""
    words = query.split()
    if not words or len(query) > MAX_QUERY:
        raise BadRequest(f"query: give 1 to {MAX_QUERY} characters.")
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    hits: list[Hit] = []
    async for page in service.pages(job_id):
        for hit in _page_hits(page, pattern):
            if len(hits) == max_results:
                return Hits(document_id=job_id, hits=hits, more=True)
            hits.append(hit)
    return Hits(document_id=job_id, hits=hits, more=False)


def _page_hits(page: Json, pattern: re.Pattern[str]) -> Iterator[Hit]:
    for item in page["layout"]["items"]:
        text = plain(item["text"])
        for found in pattern.finditer(text):
            yield Hit(
                page=page["pageIndex"] + 1,
                label=item["label"],
                snippet=_snippet(text, found),
                boxes=_line_boxes(page, item, pattern) or boxes_of(item),
            )


def _snippet(text: str, found: re.Match[str]) -> str:
    start, end = max(0, found.start() - SNIPPET), found.end() + SNIPPET
    inner = " ".join(text[start:end].split())
    return ("… " if start else "") + inner + (" …" if end < len(text) else "")


def _line_boxes(page: Json, item: Json, pattern: re.Pattern[str]) -> list[list[float]]:
    """The lines in the block that have the words; none where they run over a line's end."""
    return [
        [round(side, 4) for side in line["box"]]
        for line in page["lines"]
        if pattern.search(line["text"]) and _is_inside(line["box"], item)
    ]


def _is_inside(box: list[float], item: Json) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    sides = [each["normalized"] for each in item["boxes"]]
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in sides)


async def tables(service: Service, job: Json, pages: str | None, max_results: int) -> Tables:
    """Raises `BadRequest` for pages that there are not."""
    found: list[Table] = []
    async for page, place, item in _items(service, job, pages):
        for grid in parse_grids(item["text"]) if "<table" in item["text"] else ():
            if len(found) == max_results:
                return Tables(document_id=job["jobId"], tables=found, more=True)
            found.append(
                Table(
                    page=page["pageIndex"] + 1,
                    caption=grid.caption or _caption(page, place, (-1, 1)),
                    boxes=boxes_of(item),
                    rows=_rows(grid),
                    html=item["text"],
                )
            )
    return Tables(document_id=job["jobId"], tables=found, more=False)


async def figures(
    service: Service, job: Json, pages: str | None, max_results: int
) -> tuple[Figures, list[bytes]]:
    """The figures, and a JPEG of each. Raises `BadRequest` for pages that there are not."""
    answer = Figures(document_id=job["jobId"], figures=[], more=False)
    images: list[bytes] = []
    picture: tuple[int, bytes] = (-1, b"")
    async for page, place, item in _items(service, job, pages):
        for box in boxes_of(item) if item["label"] == FIGURE_LABEL else ():
            if len(images) == max_results:
                answer.more = True
                return answer, images
            index = page["pageIndex"]
            if picture[0] != index:
                picture = (index, await service.page_image(job["jobId"], index))
            images.append(cropped(picture[1], box))
            caption = _caption(page, place, (1, -1))
            answer.figures.append(Figure(page=index + 1, caption=caption, box=box))
    return answer, images


async def _items(
    service: Service, job: Json, pages: str | None
) -> AsyncIterator[tuple[Json, int, Json]]:
    """The blocks of the pages: the page, the block's place on it, and the block."""
    wanted = set(page_indices(pages, job["pagesTotal"])) if pages else None
    async for page in service.pages(job["jobId"]):
        if wanted is None or page["pageIndex"] in wanted:
            for place, item in enumerate(page["layout"]["items"]):
                yield page, place, item


def cropped(page: bytes, box: list[float]) -> bytes:
    """The part of a page's JPEG, no longer than `MAX_IMAGE_SIDE`."""
    with Image.open(io.BytesIO(page)) as whole:
        x0, x1 = (side * whole.width for side in (box[0], box[2]))
        y0, y1 = (side * whole.height for side in (box[1], box[3]))
        part = whole.crop((int(x0), int(y0), max(int(x0) + 1, int(x1)), max(int(y0) + 1, int(y1))))
    part.thumbnail((MAX_IMAGE_SIDE, MAX_IMAGE_SIDE))
    out = io.BytesIO()
    part.convert("RGB").save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def _caption(page: Json, place: int, steps: tuple[int, int]) -> str:
    """Of the first caption block beside the figure or table, which is usual before a table and
    behind a figure."""
    items = page["layout"]["items"]
    for other in (place + step for step in steps):
        if 0 <= other < len(items) and items[other]["label"] in LABELS:
            return plain(items[other]["text"]).strip()
    return ""


def _rows(grid: Grid) -> list[list[str]]:
    rows = [[""] * grid.num_columns for _ in range(grid.num_rows)]
    for cell in grid.cells:
        rows[cell.row][cell.column] = cell.text
    return rows
