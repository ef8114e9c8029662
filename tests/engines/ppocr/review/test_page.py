"""Scores of words on pages that are really recognized."""

from __future__ import annotations

from statistics import mean
from typing import Any

import numpy as np
import pytest

from bench.calibration import auroc, page_image, plain_words, right_words
from bench.degraded_pages import degraded_page
from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.recognizer import PageRecognizer
from dsocr.engines.ppocr.response import decode_blocks, decode_lines
from dsocr.engines.ppocr.review.page import PageReview
from dsocr.types import PageImage, TextLine
from tests.engines.ppocr import typeset

FAX = degraded_page(1069)
"""A fax of which two thirds of the words are right."""


def read(
    recognizer: PageRecognizer, page: PageImage, layer: list[TextLine] | None = None
) -> dict[str, Any]:
    lines = layer and [
        [line.text, line.box.x0, line.box.y0, line.box.x1, line.box.y1, ()] for line in layer
    ]
    request = {"mode": "gundam", "task": "markdown", "query": None, "text_lines": lines}
    request |= {"hidden_lines": [], "image_share": 0.0, "languages": []}
    return recognizer.recognize(typeset.pixels(page), request, poll=lambda: None)


@pytest.fixture(scope="module")
def poor(recognizer: PageRecognizer) -> dict[str, Any]:
    return read(recognizer, page_image(FAX.picture))


def test_wrong_words_have_lower_scores_than_right_ones(poor: dict[str, Any]) -> None:
    words = [
        (line.text[start:end], score)
        for line in decode_lines(poor)
        for start, end, score in line.words
    ]
    right = right_words([plain_words(text)[0] for text, _ in words], plain_words(FAX.text))
    assert auroc([score for _, score in words], right) > 0.8


def test_a_poor_page_has_blocks_to_review_and_is_flagged(poor: dict[str, Any]) -> None:
    assert any(block.review for block in decode_blocks(poor))
    assert poor["review_share"] > 0.2
    assert "low_confidence" in poor["flags"]


def test_clean_print_needs_no_review(recognizer: PageRecognizer) -> None:
    response = read(recognizer, typeset.page())

    assert response["review_share"] == 0.0
    assert not any(block.review for block in decode_blocks(response))
    assert all(block.score and block.score > 0.95 for block in decode_blocks(response))
    assert response["flags"] == []


def test_a_text_layer_that_differs_from_the_picture_is_marked(recognizer: PageRecognizer) -> None:
    layer = typeset.layer()
    layer[2] = TextLine(layer[2].text.replace("12,345", "98,765"), layer[2].box)

    lines = decode_lines(read(recognizer, typeset.page(), layer))

    scores = {line.text[a:b]: score for line in lines for a, b, score in line.words}
    assert scores["98,765"] < 0.3
    assert mean(score for word, score in scores.items() if word != "98,765") > 0.99


def test_a_block_has_the_words_of_the_lines_inside_it() -> None:
    lines = [Line("a b", Rect(0, y, 90, y + 10), 0.9) for y in (0, 20, 40)]
    words = [((0, 1, 0.99), (2, 3, 0.99)), ((0, 1, 0.2),), ()]
    reviewed = PageReview(lines, words)

    assert reviewed.block([Rect(0, 0, 100, 12)]) == (pytest.approx(0.99), False)
    assert reviewed.block([Rect(0, 0, 100, 32)]) == (pytest.approx(0.727, abs=1e-3), True)
    assert reviewed.block([Rect(0, 38, 100, 52)]) == (None, False)
    assert reviewed.share == pytest.approx(1 / 3, abs=1e-3)
    assert np.isclose(reviewed.mean or 0, 0.7267, atol=1e-3)
