"""What the worker answers for a page, as the JSON header that goes through the pipe.

`blocks`: `[label, text, [[x0, y0, x1, y1], ...], confidence]` each, in reading order.
`flags`: the page's flags.
Boxes are fractions of the page as it was given; a confidence is 0-1 or null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsocr.types import Block, Box


def encode_response(blocks: Sequence[Block], flags: Sequence[str]) -> dict[str, Any]:
    return {
        "blocks": [
            [block.label, block.text, [_sides(box) for box in block.boxes], block.confidence]
            for block in blocks
        ],
        "flags": list(flags),
    }


def decode_blocks(response: dict[str, Any]) -> tuple[Block, ...]:
    return tuple(
        Block(label, text, tuple(Box(*sides) for sides in boxes), confidence)
        for label, text, boxes, confidence in response["blocks"]
    )


def _sides(box: Box) -> list[float]:
    return [box.x0, box.y0, box.x1, box.y1]
