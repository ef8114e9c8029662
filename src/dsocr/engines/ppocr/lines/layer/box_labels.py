"""Puts check boxes into the text: `[x]` or `[ ]` before the label to their right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dsocr.engines.ppocr.geometry import BOX_MARKS, Line, Rect, share_inside
from dsocr.engines.ppocr.lines.check_boxes import CheckBox
from dsocr.engines.ppocr.networks.quads import Pixels, Quad, size_of

_MAX_DISTANCE = 2.0  # of a line's height, from a box to its label
_NEAR = 15.0  # of a line's height: a box with no text so near in its row is a drawing
_MARGIN = 0.15  # of a box's side: a tick may reach out
_EMPTY = "\u2610\u25a1\u274f\u2750\u2751\u2752\u25cb"
_TICKED = "\u2611\u2612\u2705\u22a0\u25c9\u25cf\u25a0\u2713\u2714\u2715\u2716\u2717\u2718"
_MARK = re.compile(rf"^[{_EMPTY}{_TICKED}xX4-8](?=\s|$)\s*")
"""A box or tick that is a character of the text layer, or what was typed into a box."""
_BOX_CHARACTERS = (
    (re.compile("[\u2610\u274f-\u2752]\\s*(?=\\S)"), "[ ] "),
    (re.compile("[\u2611\u2612\u2705]\\s*(?=\\S)"), "[x] "),
)
"""Characters that are boxes wherever they stand; a black square or a tick may be a bullet."""


def without_boxes(image: Pixels, boxes: Sequence[CheckBox]) -> Pixels:
    """The picture with white in place of the boxes, which recognition takes for letters."""
    clean: Pixels = image.copy()
    for box in boxes:
        margin = _MARGIN * box.rect.width
        x0, y0 = max(0, int(box.rect.x0 - margin)), max(0, int(box.rect.y0 - margin))
        window = clean[y0 : int(box.rect.y1 + margin) + 1, x0 : int(box.rect.x1 + margin) + 1]
        window[...] = np.percentile(window.reshape(-1, 3), 90, axis=0).astype(np.uint8)
    return clean


def split_at_boxes(quads: Sequence[Quad], boxes: Sequence[CheckBox]) -> list[Quad]:
    """The quads in their order; those across boxes are replaced by the parts between them."""
    return [part for quad in quads for part in _parts(quad, boxes)]


def with_box_marks(lines: Sequence[Line], boxes: Sequence[CheckBox]) -> list[Line]:
    """The lines with the state of each box before its label; a box without one is a line."""
    marked = [line for line in lines if not any(_is_inside(line, box) for box in boxes)]
    for box in boxes:
        around = next((i for i, line in enumerate(marked) if _is_within(box, line)), None)
        label = _label_of(box, marked)
        if around is not None:
            marked[around] = _with_mark_inside(marked[around], box)
        elif label is not None:
            marked[label] = _with_mark(marked[label], box)
        elif _has_row(box, marked):
            marked.append(_alone(box, marked))
    return [_with_drawn_boxes(line) for line in marked]


def _is_inside(line: Line, box: CheckBox) -> bool:
    """Whether it is only the mark in the box: a character of the text layer."""
    return share_inside(line.rect, box.rect) > 0.4 and not _MARK.sub("", line.text.strip())


def _is_within(box: CheckBox, line: Line) -> bool:
    """Whether text stands on both sides of the box in one line."""
    return (
        line.rect.x0 < box.rect.x0 - box.rect.width
        and line.rect.x1 > box.rect.x1 + box.rect.width
        and line.rect.y0 < box.rect.centre_y < line.rect.y1
    )


def _with_mark_inside(line: Line, box: CheckBox) -> Line:
    """The line with the box at the blank nearest to it, unless the box is a character there."""
    blanks = [index for index, char in enumerate(line.text) if char == " "]
    if not blanks or set(line.text) & set(_EMPTY + _TICKED):
        return line
    middle = (box.rect.x0 + box.rect.x1) / 2
    place = (middle - line.rect.x0) / line.rect.width * len(line.text)
    nearest = min(blanks, key=lambda index: abs(index - place))
    return line.with_text(f"{line.text[:nearest]} {box.text}{line.text[nearest:]}")


def _with_mark(line: Line, box: CheckBox) -> Line:
    text = line.text.strip()
    if line.rect.x0 < (box.rect.x0 + box.rect.x1) / 2:
        text = _MARK.sub("", text)
    return replace(line.with_text(f"{box.text} {text}"), rect=line.rect.union(box.rect))


def _with_drawn_boxes(line: Line) -> Line:
    text = line.text
    for pattern, mark in _BOX_CHARACTERS:
        text = pattern.sub(mark, text)
    return line if text == line.text else line.with_text(text)


def _parts(quad: Quad, boxes: Sequence[CheckBox]) -> list[Quad]:
    width, height = size_of(quad)
    left, right = float(quad[:, 0].min()), float(quad[:, 0].max())
    top, bottom = float(quad[:, 1].min()), float(quad[:, 1].max())
    if width < height:
        return [quad]
    crossed = sorted(
        (box.rect.x0, box.rect.x1)
        for box in boxes
        if top < box.rect.centre_y < bottom and left - 1 < (box.rect.x0 + box.rect.x1) / 2 < right
    )
    edges = [left, *(x for pair in crossed for x in pair), right]
    pieces = zip(edges[::2], edges[1::2], strict=True)
    return [_piece(quad, start, end) for start, end in pieces if end - start > 0.5 * height]


def _piece(quad: Quad, start: float, end: float) -> Quad:
    piece: Quad = quad.copy()
    piece[:, 0] = np.clip(piece[:, 0], start, end)
    return piece


def _label_of(box: CheckBox, lines: Sequence[Line]) -> int | None:
    """The index of the line that begins nearest to the right of the box."""
    side = box.rect.width
    distances = {
        line.rect.x0 - box.rect.x1: index
        for index, line in enumerate(lines)
        if _in_row(box.rect, line.rect)
        and line.rect.x1 > box.rect.x1
        and line.rect.x0 > box.rect.x0 - 0.5 * side
        and line.rect.x0 - box.rect.x1 < _MAX_DISTANCE * max(line.height, side)
        and not line.text.startswith(BOX_MARKS)
    }
    return distances[min(distances)] if distances else None


def _in_row(box: Rect, rect: Rect) -> bool:
    shared = min(box.y1, rect.y1) - max(box.y0, rect.y0)
    return shared > 0.5 * min(box.height, rect.height) and rect.height < 2.5 * box.height


def _has_row(box: CheckBox, lines: Sequence[Line]) -> bool:
    return any(
        _in_row(box.rect, line.rect)
        and max(line.rect.x0 - box.rect.x1, box.rect.x0 - line.rect.x1) < _NEAR * line.height
        for line in lines
    )


def _alone(box: CheckBox, lines: Sequence[Line]) -> Line:
    from_layer = bool(lines) and all(line.from_layer for line in lines)
    return Line(box.text, box.rect, 1.0, from_layer=from_layer)
