"""Decides what is put in order as a whole: structures, regions of text, or single lines."""

from __future__ import annotations

from collections.abc import Sequence

from dsocr.engines.ppocr.blocks import labels
from dsocr.engines.ppocr.blocks.regions import STRUCTURES, Assigned
from dsocr.engines.ppocr.geometry import Line, Rect, Region, enclose, share_inside
from dsocr.engines.ppocr.reading_order import columns
from dsocr.engines.ppocr.reading_order.items import LayoutItem, line_items, line_rows
from dsocr.engines.ppocr.reading_order.row_pairs import bound_beside, is_key, is_value

_MIN_COVERED = 0.7  # of the lines, for the layout model's text regions to be used
_AROUND = 0.5  # of the structure's height
_WITHIN = 0.8  # of a region's area


def layout_items(
    assigned: Assigned, free: Sequence[Line], frames: Sequence[Rect] = ()
) -> list[LayoutItem]:
    """What is ordered. Text regions are one item only where the layout model found most lines.

    None reaches over a frame's edge.
    """
    covered = sum(len(inside) for _, inside in assigned)
    reliable = covered >= _MIN_COVERED * (covered + len(free))
    structures = [region.rect for region, _ in assigned if region.label in STRUCTURES]
    lines = [*free, *(line for _, inside in assigned for line in inside)]
    items = line_items(free)
    for region, inside in assigned:
        if region.label in STRUCTURES:
            items.append(LayoutItem(region.rect, inside, region.label))
            continue
        rect = enclose([line.rect for line in inside])
        # Where the layout model took a table for text, the text above and below is one region.
        around = any(_is_around(rect, structure) for structure in structures)
        around = around or any(0 < share_inside(rect, frame) < _WITHIN for frame in frames)
        if reliable and not around and is_one_unit(region, inside, lines):
            items.append(LayoutItem(rect, inside, region.label))
        else:
            items.extend(line_items(inside))
    return items


def is_one_unit(region: Region, inside: Sequence[Line], lines: Sequence[Line]) -> bool:
    """Whether a region of text can be ordered as a whole.

    Not one that holds several columns, the headings over them, lines of another region, or labels
    whose values stand beside it, nor rows of a list.
    """
    if region.label == "equation" and any(labels.has_words(line.text) for line in inside):
        return False
    rect = enclose([line.rect for line in inside])
    own = {id(line) for line in inside}
    others = [line for line in lines if id(line) not in own]
    if any(share_inside(line.rect, rect) > 0.5 for line in others):
        return False
    if bound_beside(inside, others) or _is_list(inside) or _are_keys(inside, others):
        return False
    return len(columns.arrange(line_items(inside))) == 1


def _is_list(lines: Sequence[Line]) -> bool:
    """Whether all rows hold entries side by side: the layout model may have seen a few of them."""
    return all(len(row) > 1 and is_value(row[-1].text) for row in line_rows(lines))


def _are_keys(lines: Sequence[Line], others: Sequence[Line]) -> bool:
    """Whether most are keys, and the value of one of them stands beside it."""
    keys = [line for line in lines if is_key(line)]
    return 2 * len(keys) > len(lines) and any(
        other.rect.x0 > key.rect.x1 and key.rect.y0 < other.rect.centre_y < key.rect.y1
        for key in keys
        for other in others
    )


def _is_around(rect: Rect, structure: Rect) -> bool:
    """Whether text stands both above and below it: boxes need not be equally wide."""
    shared = min(rect.y1, structure.y1) - max(rect.y0, structure.y0)
    return rect.intersection(structure) > 0 and shared > _AROUND * structure.height
