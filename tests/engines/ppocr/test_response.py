from __future__ import annotations

import json

import pytest

from dsocr.engines.ppocr.response import decode_blocks, decode_lines, encode_response
from dsocr.types import Block, Box, TextLine

BLOCKS = (
    Block("text", "A line", (Box(1 / 3, 0.1, 2 / 3, 0.2), Box(0.1, 0.3, 0.2, 0.4)), 0.987654321),
    Block("image", "", (Box(0, 0, 1, 1),), None),
)
LINES = (
    TextLine("A line", Box(1 / 3, 0.1, 2 / 3, 0.2), 0.987654321),
    TextLine("of the layer", Box(0.1, 0.3, 0.2, 0.4)),
    TextLine("unreadable", Box(0.1, 0.3, 0.2, 0.4), 0.0),
)


def test_blocks_arrive_unchanged() -> None:
    header = json.loads(json.dumps(encode_response(BLOCKS, (), ["blank"])))

    assert decode_blocks(header) == BLOCKS
    assert header["flags"] == ["blank"]


def test_lines_arrive_rounded() -> None:
    lines = decode_lines(json.loads(json.dumps(encode_response((), LINES, []))))

    assert [line.text for line in lines] == [line.text for line in LINES]
    assert [line.confidence for line in lines] == [0.988, None, 0.0]
    assert lines[0].box.x0 == pytest.approx(1 / 3, abs=1e-5)


def test_a_line_takes_few_bytes_beside_its_text() -> None:
    (line,) = encode_response((), LINES[:1], [])["lines"]

    assert len(json.dumps(line)) - len(LINES[0].text) < 60
