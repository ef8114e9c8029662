from __future__ import annotations

import random
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dsocr.engines.ppocr.worker import DETAILS, PageReader
from dsocr.types import PageImage, TextLine
from tests.engines.ppocr import typeset


def ask(
    page_reader: PageReader,
    page: PageImage,
    *,
    layer: list[TextLine] | None = None,
    turn: int = 0,
    **changes: Any,
) -> dict[str, Any]:
    image = np.ascontiguousarray(np.rot90(typeset.pixels(page), -turn // 90))
    lines = layer and [
        [line.text, line.box.x0, line.box.y0, line.box.x1, line.box.y1] for line in layer
    ]
    question = {"mode": "gundam", "task": "markdown", "query": None, "text_lines": lines}
    question |= {"image_share": 0.0, **changes}
    return page_reader.read(image, question, poll=lambda: None)


def words(answer: dict[str, Any]) -> str:
    return " ".join(text for _, text, _, _ in answer["blocks"]).replace("\n", " ")


def test_a_page_becomes_blocks_with_confidence(page_reader: PageReader) -> None:
    answer = ask(page_reader, typeset.page())

    assert words(answer) == " ".join(typeset.FOX)
    assert answer["flags"] == []
    assert all(confidence > 0.95 for *_, confidence in answer["blocks"])


@pytest.mark.parametrize("mode", DETAILS)
def test_every_mode_reads_ordinary_print(page_reader: PageReader, mode: str) -> None:
    assert words(ask(page_reader, typeset.page(), mode=mode)) == " ".join(typeset.FOX)


@pytest.mark.parametrize("mode", ["gundam", "base"])
@pytest.mark.parametrize("top", [0.5, 0.06])
def test_one_short_line_is_a_page_s_text(page_reader: PageReader, mode: str, top: float) -> None:
    """Looked at closely it is too small a thing to find, and at the top it looks like a head."""
    image = Image.new("RGB", (1240, 1754), "white")
    pen = ImageDraw.Draw(image)
    pen.text((150, 1754 * top), "Chapter 3", fill="black", font=ImageFont.load_default(36))

    answer = ask(page_reader, typeset.of(image), mode=mode)

    assert words(answer).endswith("Chapter 3")
    assert answer["flags"] == []


def test_specks_are_no_words(page_reader: PageReader) -> None:
    dice = random.Random(1)
    image = Image.new("RGB", (1240, 1754), "white")
    for _ in range(60):
        x, y, side = dice.randrange(1240), dice.randrange(1754), dice.randrange(1, 6)
        image.paste((0, 0, 0), (x, y, x + side, y + side))

    assert words(ask(page_reader, typeset.of(image))) == ""


@pytest.mark.parametrize(
    "size", [(100_000, 1), (1, 400_000), (3000, 2), (60_000_000, 1), (1, 60_000_000)]
)
def test_a_strip_is_a_blank_page_and_no_network_sees_much_of_it(
    page_reader: PageReader, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """Enlarged as a whole, 177 bytes of PNG took 22 GB; averaging 60 million pixels, 0.7."""
    resized: list[tuple[int, int, int, int]] = []
    resize = cv2.resize

    def watched(image: Any, size: tuple[int, int], **how: Any) -> Any:
        resized.append((*image.shape[:2], *size))
        return resize(image, size, **how)

    monkeypatch.setattr(cv2, "resize", watched)

    answer = ask(page_reader, typeset.of(Image.new("RGB", size, "white")))

    assert (answer["blocks"], answer["flags"]) == ([], ["blank"])
    assert max(max(sides[:2]) for sides in resized) <= 2 * 64 * 16_384
    assert max(width * height for *_, width, height in resized) <= 608 * 800


def test_boxes_of_a_long_page_fit_the_picture_that_was_given(page_reader: PageReader) -> None:
    """Longer than the picture it is read on."""
    image = Image.new("RGB", (2000, 24_000), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(300)
    pen.text((100, 20_000), "TOTAL 31.00", fill="black", font=font)

    [block] = ask(page_reader, typeset.of(image))["blocks"]

    _, text, [box], _ = block
    assert text.endswith("TOTAL 31.00")
    assert box == pytest.approx(pen.textbbox((100, 20_000), "TOTAL 31.00", font), abs=120)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_scan_reads_like_the_upright_one(page_reader: PageReader, turn: int) -> None:
    answer = ask(page_reader, typeset.scan(), turn=turn)

    assert words(answer) == words(ask(page_reader, typeset.scan()))
    assert answer["flags"] == [f"turned_{turn}"]


def test_boxes_of_a_turned_page_fit_the_picture_that_was_given(page_reader: PageReader) -> None:
    (_, _, ((x0, y0, x1, y1),), _), *_ = ask(page_reader, typeset.scan())["blocks"]
    height = typeset.scan().height

    (_, _, (turned,), _), *_ = ask(page_reader, typeset.scan(), turn=90)["blocks"]

    assert turned == pytest.approx([height - y1, x0, height - y0, x1], abs=4)


def test_an_empty_page_is_blank_and_no_error(page_reader: PageReader) -> None:
    assert ask(page_reader, typeset.page([])) == {"blocks": [], "flags": ["blank"]}


def test_a_believed_text_layer_is_taken_word_for_word(page_reader: PageReader) -> None:
    layer = typeset.layer()
    spelled = [TextLine(line.text.replace("fox", "ƒox"), line.box) for line in layer]

    answer = ask(page_reader, typeset.page(), layer=spelled)

    assert "ƒox" in words(answer)
    assert [confidence for *_, confidence in answer["blocks"]] == [1.0] * len(answer["blocks"])


def test_a_text_layer_that_says_something_else_is_not_believed(page_reader: PageReader) -> None:
    lies = [TextLine(line.text[::-1], line.box) for line in typeset.layer()]

    assert words(ask(page_reader, typeset.page(), layer=lies)) == " ".join(typeset.FOX)


def test_text_that_is_only_drawn_is_read_beside_the_layer(page_reader: PageReader) -> None:
    text = words(ask(page_reader, typeset.page(), layer=typeset.layer()[:-1]))

    assert text == " ".join(typeset.FOX)


def test_each_line_is_its_own_label_when_asked_for_lines(page_reader: PageReader) -> None:
    answer = ask(page_reader, typeset.page(), task="ocr")

    assert [(label, text) for label, text, *_ in answer["blocks"]] == [
        ("line", line) for line in typeset.FOX
    ]


def test_a_word_is_located_by_its_box(page_reader: PageReader) -> None:
    answer = ask(page_reader, typeset.page(), task="locate", query="seven wizards")

    ((_, text, ((x0, y0, x1, y1),), _),) = answer["blocks"]
    line = typeset.layer()[1].box
    assert text == "seven wizards"
    assert line.y0 * 420 - 12 < y0 < y1 < line.y1 * 420 + 12
    assert 60 + 40 < x0 < x1 < line.x1 * 760 - 100


def test_what_is_not_on_the_page_is_not_found(page_reader: PageReader) -> None:
    answer = ask(page_reader, typeset.page(), task="locate", query="zebra crossing 77")

    assert answer == {"blocks": [], "flags": ["not_found"]}
