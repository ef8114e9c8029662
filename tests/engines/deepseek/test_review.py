from __future__ import annotations

from dsocr.engines.deepseek.review import review_share, reviewed
from dsocr.types import Block, Box, TextLine

BOX = Box(0, 0, 1, 1)
LAYER = [TextLine("Invoice 4711 of the third", BOX), TextLine("of May, 900.00 EUR to pay", BOX)]


def test_words_that_the_text_layer_has_need_no_review() -> None:
    (block,) = reviewed([Block("text", "**Invoice** 4711, 900.00 EUR", (BOX,), 0.98)], LAYER)

    assert (block.score, block.review) == (0.98, False)


def test_words_that_the_text_layer_lacks_are_to_be_reviewed() -> None:
    (block,) = reviewed([Block("text", "Invoice 4712, 500.00 EUR", (BOX,), 0.98)], LAYER)

    assert block.review
    assert block.score == 0.6


def test_improbable_tokens_are_to_be_reviewed_without_a_layer_too() -> None:
    sure, unsure = reviewed(
        [Block("text", "one two three", (), 0.97), Block("text", "four", (), 0.6)], []
    )

    assert not sure.review
    assert unsure.review
    assert review_share([sure, unsure]) == 0.25


def test_without_any_sign_there_is_no_score() -> None:
    figure = Block("image", "", (BOX,), 0.5)

    assert reviewed([figure, Block("text", "one")], []) == [figure, Block("text", "one")]
    assert review_share([figure]) is None
