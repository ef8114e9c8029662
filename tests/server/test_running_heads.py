from __future__ import annotations

from typing import Any

from dsocr.server.serialize import serialize_document
from dsocr.types import Block, Box, Headers, PageResult
from tests.exports.documents import document


def answer(num_pages: int, headers: Headers = "omit") -> dict[str, Any]:
    head = Block("header", "The Islands", (Box(0.1, 0.03, 0.5, 0.05),))
    pages = [
        PageResult(
            index, 1000, 1400, "The Islands\n\nThe ferry.", (head, Block("text", "The ferry."))
        )
        for index in range(num_pages)
    ]
    return serialize_document(
        document(*pages),
        headers=headers,
        file_name="a",
        file_size=1,
        milliseconds=1,
        request_id="r",
    )


def test_an_answer_leaves_running_heads_out_of_its_texts_and_keeps_their_blocks() -> None:
    found = answer(2)
    assert found["text"] == "The ferry.\n\n---\n\nThe ferry."
    assert [page["text"] for page in found["pages"]] == ["The ferry."] * 2
    labels = [[item["label"] for item in page["layout"]["items"]] for page in found["pages"]]
    assert labels == [["header", "text"]] * 2


def test_a_head_stays_if_it_is_asked_for_or_stands_once() -> None:
    assert answer(2, "keep")["text"].count("The Islands") == 2
    assert answer(1)["text"] == "The Islands\n\nThe ferry."
