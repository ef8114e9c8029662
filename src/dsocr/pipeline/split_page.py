"""Splits a page into an upper and a lower half, and merges their results."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from dsocr.engines.deepseek.grounding import compose_raw, result_of_blocks
from dsocr.types import Block, Box, FinishReason, PageImage, PageResult, TextLine, Usage

if TYPE_CHECKING:
    from PIL.Image import Image

MIN_HEIGHT = 64
"""Pixels; a page of less height is not split."""

_WORST_FIRST: tuple[FinishReason, ...] = ("repetition", "length", "stop")


def split_page(page: PageImage) -> tuple[PageImage, PageImage]:
    """Split near the middle, at the row that crosses the fewest strokes."""
    image = page.image
    row = split_row(image)
    return _part(page, image, 0, row), _part(page, image, row, page.height)


def split_row(image: Image) -> int:
    """The row of the middle third with the least ink around it; of equals the one nearest to the
    middle."""
    import numpy as np  # only here: a service imports this module at its start and rarely splits

    gray = np.asarray(image.convert("L"), dtype=np.float32)
    strokes = np.abs(np.diff(gray, axis=1)).mean(axis=1) if gray.shape[1] > 1 else gray[:, 0] * 0
    band = max(1, len(gray) // 100)
    around = np.convolve(strokes, np.ones(band) / band, mode="same")
    first, last = len(gray) // 3, -(-2 * len(gray) // 3)
    off_centre = np.abs(np.arange(first, last) - len(gray) / 2) / len(gray)
    return first + int(np.argmin(around[first:last] + off_centre))  # at most 1/6 of a grey level


def merge_halves(
    page: PageImage, halves: Sequence[PageImage], results: Sequence[PageResult]
) -> PageResult:
    """One result for the page; boxes are fractions of the page again."""
    blocks: list[Block] = []
    lines: list[TextLine] = []
    top = 0
    for half, result in zip(halves, results, strict=True):
        to_page = partial(_to_page, top=top, height=half.height, page_height=page.height)
        blocks += (
            dataclasses.replace(block, boxes=tuple(map(to_page, block.boxes)))
            for block in result.blocks
        )
        lines += (dataclasses.replace(line, box=to_page(line.box)) for line in result.lines)
        top += half.height
    has_boxes = any(block.boxes for block in blocks)
    raws = (result.raw.strip() for result in results)
    reasons = {result.finish_reason for result in results}
    return result_of_blocks(
        page,
        blocks,
        lines=lines,
        raw=compose_raw(blocks) if has_boxes else "\n\n".join(raw for raw in raws if raw),
        finish_reason=next(reason for reason in _WORST_FIRST if reason in reasons),
        review_share=_share_of(results),
        flags=list(dict.fromkeys(flag for result in results for flag in result.flags)),
        usage=sum_usage(*(result.usage for result in results)),
    )


def _share_of(results: Sequence[PageResult]) -> float | None:
    """The mean of the halves' shares, each weighted by its text."""
    shares = [(r.review_share, len(r.markdown)) for r in results if r.review_share is not None]
    weight = sum(length for _, length in shares)
    return sum(share * length for share, length in shares) / weight if weight else None


def sum_usage(*usages: Usage) -> Usage:
    return Usage(*(sum(column) for column in zip(*map(dataclasses.astuple, usages), strict=True)))


def _part(page: PageImage, image: Image, top: int, bottom: int) -> PageImage:
    part = partial(_lines_between, top=top / page.height, bottom=bottom / page.height)
    return dataclasses.replace(
        page,
        pixels=image.crop((0, top, page.width, bottom)),
        height=bottom - top,
        text_lines=None if page.text_lines is None else part(page.text_lines),
        hidden_lines=part(page.hidden_lines),
    )


def _lines_between(lines: Sequence[TextLine], top: float, bottom: float) -> tuple[TextLine, ...]:
    """Lines whose middle lies between `top` and `bottom`, as fractions of that part of the page."""
    size = bottom - top
    found = []
    for line in lines:
        box = line.box
        if top <= (box.y0 + box.y1) / 2 < bottom:
            y0, y1 = (min(1.0, max(0.0, (y - top) / size)) for y in (box.y0, box.y1))
            found.append(dataclasses.replace(line, box=Box(box.x0, y0, box.x1, y1)))
    return tuple(found)


def _to_page(box: Box, *, top: int, height: int, page_height: int) -> Box:
    """From fractions of a half, which begins at row `top`, to fractions of the page."""
    y0, y1 = ((top + y * height) / page_height for y in (box.y0, box.y1))
    return Box(box.x0, y0, box.x1, y1)
