from __future__ import annotations

import copy
import hashlib
import json
import random
import re
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dsocr.engines.ppocr.lines.recognition import DETAILS
from dsocr.engines.ppocr.recognizer import PageRecognizer
from dsocr.engines.ppocr.response import decode_blocks, decode_lines
from dsocr.types import Box, PageImage, TextLine
from tests.engines.ppocr import typeset

_READINGS: dict[str, dict[str, Any]] = {}
"""Responses by request and pixels: a page that several tests look at is recognized once."""


def recognize(
    recognizer: PageRecognizer,
    page: PageImage,
    *,
    layer: list[TextLine] | None = None,
    rotation: int = 0,
    **changes: Any,
) -> dict[str, Any]:
    image = np.ascontiguousarray(np.rot90(typeset.pixels(page), -rotation // 90))
    lines = layer and [
        [line.text, line.box.x0, line.box.y0, line.box.x1, line.box.y1, line.fonts]
        for line in layer
    ]
    request = {"mode": "gundam", "task": "markdown", "query": None, "text_lines": lines}
    request |= {"hidden_lines": [], "image_share": 0.0, "languages": [], **changes}
    asked = json.dumps(request, default=str) + str(image.shape) + hashlib.sha256(image).hexdigest()
    if asked not in _READINGS:
        _READINGS[asked] = recognizer.recognize(image, request, poll=lambda: None)
    return copy.deepcopy(_READINGS[asked])


def in_pixels(sides: list[float], width: int, height: int) -> list[float]:
    return [sides[0] * width, sides[1] * height, sides[2] * width, sides[3] * height]


def words(response: dict[str, Any]) -> str:
    return " ".join(text for _, text, _, _ in response["blocks"]).replace("\n", " ")


def test_a_page_becomes_blocks_with_confidence(recognizer: PageRecognizer) -> None:
    response = recognize(recognizer, typeset.page())

    assert words(response) == " ".join(typeset.FOX)
    assert response["flags"] == []
    assert all(confidence > 0.95 for *_, confidence in response["blocks"])


@pytest.mark.parametrize("mode", DETAILS)
def test_every_mode_recognizes_ordinary_print(recognizer: PageRecognizer, mode: str) -> None:
    assert words(recognize(recognizer, typeset.page(), mode=mode)) == " ".join(typeset.FOX)


@pytest.mark.parametrize("mode", ["gundam", "base"])
@pytest.mark.parametrize("top", [0.5, 0.06])
def test_one_short_line_is_the_page_s_text(
    recognizer: PageRecognizer, mode: str, top: float
) -> None:
    """Detection misses it at a high resolution, and at the top it looks like a running head."""
    image = Image.new("RGB", (1240, 1754), "white")
    pen = ImageDraw.Draw(image)
    pen.text((150, 1754 * top), "Chapter 3", fill="black", font=ImageFont.load_default(36))

    response = recognize(recognizer, typeset.of(image), mode=mode)

    assert words(response).endswith("Chapter 3")
    assert response["flags"] == []


def test_specks_are_no_words(recognizer: PageRecognizer) -> None:
    dice = random.Random(1)
    image = Image.new("RGB", (1240, 1754), "white")
    for _ in range(60):
        x, y, side = dice.randrange(1240), dice.randrange(1754), dice.randrange(1, 6)
        image.paste((0, 0, 0), (x, y, x + side, y + side))

    assert words(recognize(recognizer, typeset.of(image))) == ""


@pytest.mark.parametrize(
    "size", [(100_000, 1), (1, 400_000), (3000, 2), (60_000_000, 1), (1, 60_000_000)]
)
def test_a_strip_is_a_blank_page_and_no_network_gets_much_of_it(
    recognizer: PageRecognizer, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """Enlarged as a whole, 177 bytes of PNG took 22 GB; averaging 60 million pixels, 0.7."""
    resized: list[tuple[int, int, int, int]] = []
    resize = cv2.resize

    def watched(image: Any, size: tuple[int, int], **how: Any) -> Any:
        resized.append((*image.shape[:2], *size))
        return resize(image, size, **how)

    monkeypatch.setattr(cv2, "resize", watched)

    response = recognize(recognizer, typeset.of(Image.new("RGB", size, "white")))

    assert (response["blocks"], response["flags"]) == ([], ["blank"])
    assert max(max(sides[:2]) for sides in resized) <= 2 * 64 * 16_384
    assert max(width * height for *_, width, height in resized) <= 608 * 800


def test_boxes_of_a_long_page_fit_the_page_as_given(recognizer: PageRecognizer) -> None:
    """It is shrunk before it is recognized."""
    image = Image.new("RGB", (2000, 24_000), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(300)
    pen.text((100, 20_000), "TOTAL 31.00", fill="black", font=font)

    [block] = recognize(recognizer, typeset.of(image))["blocks"]

    _, text, [box], _ = block
    assert text.endswith("TOTAL 31.00")
    expected = pen.textbbox((100, 20_000), "TOTAL 31.00", font)
    assert in_pixels(box, 2000, 24_000) == pytest.approx(expected, abs=120)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotated_scan_reads_like_the_upright(recognizer: PageRecognizer, rotation: int) -> None:
    response = recognize(recognizer, typeset.scan(), rotation=rotation)

    assert words(response) == words(recognize(recognizer, typeset.scan()))
    assert response["flags"] == [f"turned_{rotation}"]


def test_boxes_of_a_rotated_page_fit_the_page_as_given(recognizer: PageRecognizer) -> None:
    (_, _, ((x0, y0, x1, y1),), _), *_ = recognize(recognizer, typeset.scan())["blocks"]
    width, height = typeset.scan().width, typeset.scan().height

    (_, _, (rotated,), _), *_ = recognize(recognizer, typeset.scan(), rotation=90)["blocks"]

    expected = [(1 - y1) * height, x0 * width, (1 - y0) * height, x1 * width]
    assert in_pixels(rotated, height, width) == pytest.approx(expected, abs=4)


def test_an_empty_page_is_blank_and_no_error(recognizer: PageRecognizer) -> None:
    assert recognize(recognizer, typeset.page([])) == {
        "blocks": [],
        "lines": [],
        "flags": ["blank"],
        "reviews": [],
        "words": [],
        "review_share": None,
    }


def test_a_believed_text_layer_is_used_word_for_word(recognizer: PageRecognizer) -> None:
    layer = typeset.layer()
    spelled = [TextLine(line.text.replace("fox", "ƒox"), line.box) for line in layer]

    response = recognize(recognizer, typeset.page(), layer=spelled)

    assert "ƒox" in words(response)
    assert [confidence for *_, confidence in response["blocks"]] == [1.0] * len(response["blocks"])


def test_a_layer_that_contradicts_the_picture_is_not_believed(
    recognizer: PageRecognizer,
) -> None:
    lies = [TextLine(line.text[::-1], line.box) for line in typeset.layer()]

    assert words(recognize(recognizer, typeset.page(), layer=lies)) == " ".join(typeset.FOX)


def test_text_missing_in_the_layer_is_recognized(recognizer: PageRecognizer) -> None:
    text = words(recognize(recognizer, typeset.page(), layer=typeset.layer()[:-1]))

    assert text == " ".join(typeset.FOX)


def test_each_line_is_a_block_of_its_own_in_the_task_ocr(recognizer: PageRecognizer) -> None:
    response = recognize(recognizer, typeset.page(), task="ocr")

    assert [(label, text) for label, text, *_ in response["blocks"]] == [
        ("line", line) for line in typeset.FOX
    ]


def test_a_word_is_located_by_its_box(recognizer: PageRecognizer) -> None:
    response = recognize(recognizer, typeset.page(), task="locate", query="seven wizards")

    ((_, text, (sides,), _),) = response["blocks"]
    x0, y0, x1, y1 = in_pixels(sides, 760, 420)
    line = typeset.layer()[1].box
    assert text == "seven wizards"
    assert line.y0 * 420 - 12 < y0 < y1 < line.y1 * 420 + 12
    assert 60 + 40 < x0 < x1 < line.x1 * 760 - 100


def test_what_is_not_on_the_page_is_not_found(recognizer: PageRecognizer) -> None:
    response = recognize(recognizer, typeset.page(), task="locate", query="zebra crossing 77")

    assert (response["blocks"], response["flags"]) == ([], ["not_found"])
    assert [line[0] for line in response["lines"]] == list(typeset.FOX)


def lines_of(response: dict[str, Any]) -> list[TextLine]:
    return list(decode_lines(response))


def overlap(box: Box, other: Box) -> float:
    """The share of the first box that lies in the other."""
    width = max(0.0, min(box.x1, other.x1) - max(box.x0, other.x0))
    height = max(0.0, min(box.y1, other.y1) - max(box.y0, other.y0))
    return width * height / ((box.x1 - box.x0) * (box.y1 - box.y0))


def scan_page() -> PageImage:
    """Two columns under a title, a table, and a page number."""
    image = Image.new("RGB", (1240, 1754), "white")
    pen = ImageDraw.Draw(image)
    pen.text((150, 120), "The Northern Gazette", fill="black", font=ImageFont.load_default(60))
    font = ImageFont.load_default(24)
    for row in range(14):
        pen.text((120, 260 + 36 * row), f"left {row} has words up to the gutter", fill=0, font=font)
        pen.text((660, 260 + 36 * row), f"right {row} has words up to the edge", fill=0, font=font)
    for row in range(6):
        for column in range(4):
            place = (160 + 240 * column, 900 + 50 * row)
            pen.text(place, f"{row + 1}{column},500", fill="black", font=font)
    pen.text((610, 1700), "7", fill="black", font=font)
    return typeset.of(image)


def test_lines_hold_the_words_of_the_blocks_in_their_order(recognizer: PageRecognizer) -> None:
    response = recognize(recognizer, scan_page())

    texts = [line.text for line in lines_of(response)]
    shown = re.sub("<[^>]*>|#", " ", words(response)).split()
    assert texts[-1] == shown[-1] == "7"
    assert " ".join(texts).split() == shown
    assert all(0.5 <= (line.confidence or 0) <= 1 for line in lines_of(response))


def test_a_line_lies_on_the_page_and_in_the_box_of_its_block(recognizer: PageRecognizer) -> None:
    response = recognize(recognizer, scan_page())

    boxes = [box for block in decode_blocks(response) for box in block.boxes]
    for line in lines_of(response):
        box = line.box
        assert 0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1
        assert max(overlap(box, other) for other in boxes) > 0.99


def test_lines_of_a_rotated_page_have_boxes_on_the_page_as_given(
    recognizer: PageRecognizer,
) -> None:
    upright = lines_of(recognize(recognizer, typeset.scan()))

    rotated = lines_of(recognize(recognizer, typeset.scan(), rotation=90))

    assert len(rotated) == len(upright)
    for line, expected in zip(rotated, upright, strict=True):
        box = expected.box
        sides = (line.box.x0, line.box.y0, line.box.x1, line.box.y1)
        assert sides == pytest.approx((1 - box.y1, box.x0, 1 - box.y0, box.x1), abs=0.02)


def test_lines_of_a_text_layer_are_the_layer_s_without_confidence(
    recognizer: PageRecognizer,
) -> None:
    layer = typeset.layer()

    lines = lines_of(recognize(recognizer, typeset.page(), layer=layer))

    assert [line.text for line in lines] == [line.text for line in layer]
    assert {line.confidence for line in lines} == {None}
    for line, expected in zip(lines, layer, strict=True):
        assert overlap(line.box, expected.box) > 0.99


def test_lines_recognized_beside_a_text_layer_have_a_confidence(
    recognizer: PageRecognizer,
) -> None:
    lines = lines_of(recognize(recognizer, typeset.page(), layer=typeset.layer()[:-1]))

    assert [line.confidence is None for line in lines] == [True, True, True, False]


@pytest.mark.parametrize("task", ["ocr", "text", "locate"])
def test_every_task_returns_the_lines(recognizer: PageRecognizer, task: str) -> None:
    response = recognize(recognizer, typeset.page(), task=task, query="seven wizards")

    assert [line.text for line in lines_of(response)] == list(typeset.FOX)
