"""Blocks that are found from lines alone, before the page's regions are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsocr.engines.ppocr.blocks.regions import FINISHED, STRUCTURES, Assigned
from dsocr.engines.ppocr.geometry import Line, Rect, Region, share_inside

_INSIDE = 0.5  # of a region's area
_AROUND = 0.7  # of the block's area


@dataclass(frozen=True, slots=True)
class FinishedBlock:
    """A block whose text needs no further step, in pixels of the view."""

    label: str
    rect: Rect
    lines: tuple[Line, ...]
    text: str
    """In markdown."""

    @property
    def assigned(self) -> tuple[Region, tuple[Line, ...]]:
        return Region(FINISHED, self.rect, 1.0), self.lines


def outside_finished(regions: Sequence[Region], blocks: Sequence[FinishedBlock]) -> list[Region]:
    """The regions without those in such a block, and without figures and tables around one."""
    return [
        region
        for region in regions
        if not any(
            share_inside(region.rect, block.rect) > _INSIDE
            or (region.label in STRUCTURES and share_inside(block.rect, region.rect) > _AROUND)
            for block in blocks
        )
    ]


def without_taken(lines: Sequence[Line], blocks: Sequence[FinishedBlock]) -> list[Line]:
    """The lines in none of the blocks."""
    taken = {id(line) for block in blocks for line in block.lines}
    return [line for line in lines if id(line) not in taken]


def all_assigned(blocks: Sequence[FinishedBlock]) -> Assigned:
    return [block.assigned for block in blocks]
