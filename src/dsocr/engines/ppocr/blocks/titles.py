"""Ranks a page's titles by the height of their letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dsocr.engines.ppocr.blocks.drafts import BlockDraft

_LARGEST = 0.85  # of the largest title's height: as large
_PAGE_TITLE = 1.6  # of the text's height
_SECTION_TITLE = 1.15  # of the text's height
_UPPER_PART = 0.5  # of the page


def with_title_levels(
    drafts: Sequence[BlockDraft], body: float, page_height: float
) -> list[BlockDraft]:
    """The blocks; titles start with as many `#` as their level, one of level 1 becomes `title`."""
    titles = [draft for draft in drafts if draft.label == "sub_title"]
    levels = title_levels(titles, body, page_height)
    level_of = {id(draft): level for draft, level in zip(titles, levels, strict=True)}
    return [
        _with_level(draft, level_of[id(draft)]) if id(draft) in level_of else draft
        for draft in drafts
    ]


def _with_level(draft: BlockDraft, level: int) -> BlockDraft:
    label = "title" if level == 1 else "sub_title"
    return replace(draft, label=label, text=f"{'#' * level} {draft.text}")


def title_levels(titles: Sequence[BlockDraft], body: float, page_height: float) -> list[int]:
    """1 for the page's own title (large, in its upper half), else 2, and 3 for the smallest."""
    if not titles:
        return []
    largest = max(title.height for title in titles)
    levels: list[int] = []
    for title in titles:
        if title.height > _LARGEST * largest:
            is_upper = title.rects[0].y0 < _UPPER_PART * page_height
            levels.append(1 if largest > _PAGE_TITLE * body and is_upper else 2)
        else:
            levels.append(2 if 1 not in levels or title.height > _SECTION_TITLE * body else 3)
    return levels
