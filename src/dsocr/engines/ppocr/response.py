"""What the worker answers for a page, as the JSON header that goes through the pipe.

`blocks`: `[label, text, [[x0, y0, x1, y1], ...], confidence]` each, in reading order.
`lines`: `[text, x0, y0, x1, y1, confidence]` each, in reading order, rounded to keep them short.
`flags`: the page's flags.
`reviews`: `[score, review]` of each block. `words`: `[[start, end, score], ...]` of each line.
`review_share`: the share of the page's words to be reviewed.
Boxes are fractions of the page as it was given; confidences and scores are 0-1 or null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsocr.types import Block, Box, TextLine

_BOX_DIGITS = 5
"""A tenth of a pixel on a page of 10,000 pixels."""
_CONFIDENCE_DIGITS = 3


def encode_response(
    blocks: Sequence[Block],
    lines: Sequence[TextLine],
    flags: Sequence[str],
    review_share: float | None = None,
) -> dict[str, Any]:
    return {
        "blocks": [
            [block.label, block.text, [_sides(box) for box in block.boxes], block.confidence]
            for block in blocks
        ],
        "lines": [_encode_line(line) for line in lines],
        "flags": list(flags),
        "reviews": [[block.score, block.review] for block in blocks],
        "words": [list(line.words) for line in lines],
        "review_share": review_share,
    }


def decode_blocks(response: dict[str, Any]) -> tuple[Block, ...]:
    return tuple(
        Block(label, text, tuple(Box(*sides) for sides in boxes), confidence, *review)
        for (label, text, boxes, confidence), review in zip(
            response["blocks"], response["reviews"], strict=True
        )
    )


def decode_lines(response: dict[str, Any]) -> tuple[TextLine, ...]:
    return tuple(
        TextLine(text, Box(*sides), confidence, tuple((a, b, score) for a, b, score in words))
        for (text, *sides, confidence), words in zip(
            response["lines"], response["words"], strict=True
        )
    )


def _encode_line(line: TextLine) -> list[Any]:
    sides = [round(side, _BOX_DIGITS) for side in _sides(line.box)]
    confidence = line.confidence
    return [line.text, *sides, confidence and round(confidence, _CONFIDENCE_DIGITS)]


def _sides(box: Box) -> list[float]:
    return [box.x0, box.y0, box.x1, box.y1]
