"""Composes the parts of a page that stand in another direction than the rest of it.

Vertical Chinese and Japanese is one of them: rotated to the left, its columns are rows from top to
bottom, each from left to right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from dsocr.engines.ppocr.blocks.drafts import BlockDraft, PageLayout, column_drafts
from dsocr.engines.ppocr.blocks.labels import FURNITURE, body_height
from dsocr.engines.ppocr.geometry import Line, Rect, Turn, enclose, share_inside
from dsocr.engines.ppocr.reading_order.items import line_items
from dsocr.engines.ppocr.reading_order.line_order import lines_in_order
from dsocr.engines.ppocr.reading_order.paragraphs import leading_of
from dsocr.engines.ppocr.tables.rules import RuledTable

_NEAR = 2.5  # of a row's height: rows so near each other are one text
_MARGIN = 0.1  # of the page's width
_LONG = 5.0  # height over width
_DOMINANT = 0.6  # of the page's characters


@dataclass(frozen=True, slots=True)
class TurnedPart:
    """The lines of one direction, and what is made of them."""

    turn: Turn
    lines: list[Line]

    @property
    def rect(self) -> Rect:
        return enclose([line.rect for line in self.lines])


def turned_parts(
    lines: Sequence[Line], ruled: Sequence[RuledTable], *, width: float
) -> tuple[list[Line], list[TurnedPart]]:
    """The lines of the page's own direction, and the parts in others.

    A single sideways line stays where it is, unless it runs along the margin of a page of that
    `width`; the heads of a table's columns stay too.
    """
    parts = []
    turns: tuple[Turn, ...] = (90, 180, 270)
    for turn in turns:
        own = [line for line in lines if line.turn == turn and not _is_in_table(line, ruled)]
        if own and (turn == 180 or _has_rows(own) or all(_is_marginal(x, width) for x in own)):
            parts.append(TurnedPart(turn, own))
    taken = {id(line) for part in parts for line in part.lines}
    return [line for line in lines if id(line) not in taken], parts


def compose_part(part: TurnedPart, page: PageLayout) -> tuple[list[BlockDraft], list[Line]]:
    """The part's blocks and lines in reading order, in pixels of the page."""
    height, width = page.image.shape[:2]
    turned = [
        replace(line, rect=_rotated(line.rect, part.turn, width, height), rise=0.0)
        for line in part.lines
    ]
    rotated = {id(new): old for new, old in zip(turned, part.lines, strict=True)}
    own = replace(
        page,
        image=np.ascontiguousarray(np.rot90(page.image, part.turn // 90)),
        regions=(),
        ruled=(),
        frames=(),
        body=body_height(turned),
        leading=leading_of(turned),
        right_to_left=False,
        finished=(),
    )
    columns = own.arrange(line_items(turned))
    drafts = [
        replace(
            draft,
            # a lone number at the edge of a part is no page number
            label="text" if draft.label in FURNITURE else draft.label,
            rects=tuple(_restored(r, part.turn, width, height) for r in draft.rects),
        )
        for column in columns
        for draft in column_drafts(column, own)
    ]
    return drafts, [rotated[id(line)] for line in lines_in_order(columns, own.arrange)]


def with_part(
    drafts: Sequence[BlockDraft],
    part: TurnedPart,
    part_drafts: Sequence[BlockDraft],
    characters: int,
) -> list[BlockDraft]:
    """The page's blocks with those of the part: after them, or where it begins if it is most of
    the page. A picture that shows only the part is none."""
    kept = [draft for draft in drafts if not _shows_only(draft, part)]
    if sum(len(line.text) for line in part.lines) < _DOMINANT * characters:
        return [*kept, *part_drafts]
    middle = part.rect.centre_y
    above = [draft for draft in kept if enclose(draft.rects).y1 <= middle]
    return [*above, *part_drafts, *(draft for draft in kept if draft not in above)]


def _is_in_table(line: Line, ruled: Sequence[RuledTable]) -> bool:
    return any(share_inside(line.rect, table.rect) > 0.5 for table in ruled)


def _is_marginal(line: Line, width: float) -> bool:
    middle = (line.rect.x0 + line.rect.x1) / 2
    return min(middle, width - middle) < _MARGIN * width and (
        line.rect.height > _LONG * line.rect.width
    )


def _has_rows(lines: Sequence[Line]) -> bool:
    """Whether two sideways lines stand beside each other like rows of one text."""
    return any(_are_rows(first.rect, second.rect) for first, second in combinations(lines, 2))


def _are_rows(first: Rect, second: Rect) -> bool:
    along = min(first.y1, second.y1) - max(first.y0, second.y0)
    gap = max(first.x0, second.x0) - min(first.x1, second.x1)
    size = min(first.width, second.width)
    return along > 0.5 * min(first.height, second.height) and -0.3 * size < gap < _NEAR * size


def _shows_only(draft: BlockDraft, part: TurnedPart) -> bool:
    if draft.label != "image":
        return False
    rect = enclose(draft.rects)
    return any(share_inside(line.rect, rect) > 0.5 for line in part.lines)


def _rotated(rect: Rect, turn: Turn, width: float, height: float) -> Rect:
    """The rectangle on the page rotated to the left by `turn` degrees."""
    if turn == 90:
        return Rect(rect.y0, width - rect.x1, rect.y1, width - rect.x0)
    if turn == 270:
        return Rect(height - rect.y1, rect.x0, height - rect.y0, rect.x1)
    return Rect(width - rect.x1, height - rect.y1, width - rect.x0, height - rect.y0)


def _restored(rect: Rect, turn: Turn, width: float, height: float) -> Rect:
    """The inverse of `_rotated`."""
    if turn == 90:
        return Rect(width - rect.y1, rect.x0, width - rect.y0, rect.x1)
    if turn == 270:
        return Rect(rect.y0, height - rect.x1, rect.y1, height - rect.x0)
    return _rotated(rect, turn, width, height)
