"""Turns a page image by quarters, with the places of its text."""

from __future__ import annotations

import dataclasses

from dsocr.types import Box, PageImage, TextLine

_TRANSPOSES = {90: "ROTATE_270", 180: "ROTATE_180", 270: "ROTATE_90"}
"""Degrees clockwise -> Pillow's name, which counts counterclockwise."""


def turned(page: PageImage, rotation: int) -> PageImage:
    """The page turned clockwise by 0, 90, 180 or 270 degrees."""
    if rotation == 0:
        return page
    from PIL.Image import Transpose  # slow to import

    image = page.image.transpose(Transpose[_TRANSPOSES[rotation]])
    lines = page.text_lines
    return dataclasses.replace(
        page,
        pixels=image,
        width=image.width,
        height=image.height,
        text_lines=None if lines is None else _turned_lines(lines, rotation),
        hidden_lines=_turned_lines(page.hidden_lines, rotation),
    )


def turned_box(box: Box, rotation: int) -> Box:
    """The box on the turned page."""
    if rotation == 90:
        return Box(1 - box.y1, box.x0, 1 - box.y0, box.x1)
    if rotation == 180:
        return Box(1 - box.x1, 1 - box.y1, 1 - box.x0, 1 - box.y0)
    return Box(box.y0, 1 - box.x1, box.y1, 1 - box.x0)


def _turned_lines(lines: tuple[TextLine, ...], rotation: int) -> tuple[TextLine, ...]:
    return tuple(dataclasses.replace(line, box=turned_box(line.box, rotation)) for line in lines)
