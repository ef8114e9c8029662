"""Puts what a drawn frame holds in order by itself, and the frame in its place on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dsocr.engines.ppocr.geometry import Rect, share_inside
from dsocr.engines.ppocr.reading_order.items import FRAME, Column, LayoutItem

_INSIDE = 0.8  # of an item's area

Arrange = Callable[[Sequence[LayoutItem]], list[Column]]


def arrange_framed(
    items: Sequence[LayoutItem], frames: Sequence[Rect], arrange: Arrange
) -> list[Column]:
    """The columns of `arrange`, where each frame's items are ordered as one.

    Frames may hold others.
    """
    outer = [frame for frame in frames if not any(_is_within(frame, other) for other in frames)]
    held = [[item for item in items if _holds(frame, item)] for frame in outer]
    inside = {id(item) for own in held for item in own}
    wholes: dict[int, list[Column]] = {}
    placed = [item for item in items if id(item) not in inside]
    for frame, own in zip(outer, held, strict=True):
        if own:
            inner = [other for other in frames if _is_within(other, frame)]
            whole = LayoutItem(frame, tuple(line for item in own for line in item.lines), FRAME)
            wholes[id(whole)] = arrange_framed(own, inner, arrange)
            placed.append(whole)
    return _expanded(arrange(placed), wholes)


def _holds(frame: Rect, item: LayoutItem) -> bool:
    return share_inside(item.rect, frame) > _INSIDE


def _is_within(inner: Rect, outer: Rect) -> bool:
    return inner is not outer and outer.area > inner.area and share_inside(inner, outer) > _INSIDE


def _expanded(columns: Sequence[Column], wholes: dict[int, list[Column]]) -> list[Column]:
    """The columns with what the frames hold in the frames' places, each in columns of its own."""
    expanded: list[Column] = []
    for column in columns:
        rest: Column = []
        for row in column:
            if not any(id(item) in wholes for item in row):
                rest.append(row)
                continue
            expanded.extend([rest] if rest else [])
            rest = []
            for item in row:
                expanded.extend(wholes.get(id(item), [[[item]]]))
        expanded.extend([rest] if rest else [])
    return expanded
