from __future__ import annotations

import json

from dsocr.engines.ppocr.response import decode_blocks, encode_response
from dsocr.types import Block, Box

BLOCKS = (
    Block("text", "A line", (Box(1 / 3, 0.1, 2 / 3, 0.2), Box(0.1, 0.3, 0.2, 0.4)), 0.987654321),
    Block("image", "", (Box(0, 0, 1, 1),), None),
)


def test_blocks_arrive_unchanged() -> None:
    header = json.loads(json.dumps(encode_response(BLOCKS, ["blank"])))

    assert decode_blocks(header) == BLOCKS
    assert header["flags"] == ["blank"]
