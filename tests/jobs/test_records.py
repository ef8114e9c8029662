"""Results as the text of a column, and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dsocr.jobs.store.records import result_of, result_to_text
from dsocr.types import Block, Box, PageFailure, PageResult, TextLine, Usage

SIDES = st.floats(0, 1)
LINES = st.builds(
    TextLine,
    st.text(st.characters(exclude_categories=("Cs",))),
    st.builds(Box, SIDES, SIDES, SIDES, SIDES),
    st.none() | st.floats(0, 1),
)
PAGE = PageResult(
    3,
    1700,
    2200,
    "one\n\ntwo",
    (
        Block("text", "one", (Box(0.1, 1 / 3, 0.9, 0.5),), 0.87654321, 0.9, True),
        Block("image", "", ()),
    ),
    review_share=0.25,
    raw="one two",
    finish_reason="repetition",
    flags=("repetition",),
    usage=Usage(1, 2, 3, 0.25),
)


@given(st.lists(LINES))
def test_lines_keep_their_text_and_a_box_to_a_hundred_thousandth(lines: list[TextLine]) -> None:
    before = PageResult(0, 10, 10, lines=tuple(lines))
    after = result_of(result_to_text(before)).lines
    assert [line.text for line in after] == [line.text for line in lines]
    for stored, line in zip(after, lines, strict=True):
        for name in ("x0", "y0", "x1", "y1"):
            assert getattr(stored.box, name) == pytest.approx(getattr(line.box, name), abs=5.1e-6)
        assert (stored.confidence is None) == (line.confidence is None)
        assert (stored.confidence or 0) == pytest.approx(line.confidence or 0, abs=5.1e-5)


@pytest.mark.parametrize("confidence", [None, 0.9877])
def test_words_keep_their_places_and_their_score_in_per_mille(confidence: float | None) -> None:
    line = TextLine("ab cd", Box(0, 0.5, 0.25, 1), confidence, ((0, 2, 0.994), (3, 5, 0.4)))

    (stored,) = result_of(result_to_text(PageResult(0, 1, 1, lines=(line,)))).lines

    assert stored.words == ((0, 2, 0.994), (3, 5, 0.4))
    assert stored.confidence == confidence


@pytest.mark.parametrize(
    "page", [PAGE, PageResult(0, 1, 1, finish_reason="error", error=PageFailure("x", "y", True))]
)
def test_everything_but_lines_is_stored_exactly(page: PageResult) -> None:
    assert result_of(result_to_text(page)) == page


@pytest.mark.parametrize("lines", [None, []])
def test_a_page_stored_before_there_were_lines_has_none(lines: list[object] | None) -> None:
    stored = json.loads(TypeAdapter(PageResult).dump_json(PAGE))
    del stored["lines"]
    if lines is not None:
        stored["lines"] = lines
    assert result_of(json.dumps(stored)) == PAGE


@pytest.mark.parametrize(
    ("stored", "confidence"),
    [
        (["a", 0.0, 0.5, 0.25, 1.0, None], None),
        (["a", 0, 0.5, 0.25, 1, 0.98765], 0.98765),
        ({"text": "a", "box": {"x0": 0, "y0": 0.5, "x1": 0.25, "y1": 1}, "confidence": None}, None),
        (["a", 0, 50000, 25000, 100000], None),
        (["a", 0, 50000, 25000, 100000, 0.9877], 0.9877),
    ],
)
def test_lines_of_every_earlier_form_are_loaded(stored: object, confidence: float | None) -> None:
    values = json.loads(result_to_text(PageResult(0, 1, 1))) | {"lines": [stored]}
    (line,) = result_of(json.dumps(values)).lines
    assert line == TextLine("a", Box(0, 0.5, 0.25, 1), confidence)


def test_a_line_is_little_longer_than_its_text() -> None:
    lines = tuple(
        TextLine("x" * 60, Box(1 / 3, n / 1000 + 1e-7, 2 / 3, n / 1000 + 0.001), 0.987654321)
        for n in range(200)
    )
    bare = PageResult(0, 1200, 1600)
    full = PageResult(0, 1200, 1600, lines=lines)
    assert len(result_to_text(full)) - len(result_to_text(bare)) < 200 * (60 + 60)


def test_a_line_is_an_array_of_its_text_whole_numbers_and_confidence() -> None:
    lines = (TextLine("a", Box(0, 0.5, 0.25, 1)), TextLine("b", Box(0, 0, 1, 1), 0.98765))
    stored = json.loads(result_to_text(PageResult(0, 1, 1, lines=lines)))
    assert stored["lines"] == {
        "scale": 100000,
        "values": [["a", 0, 50000, 25000, 100000], ["b", 0, 0, 100000, 100000, 0.9877]],
    }


def test_a_box_at_the_edge_of_the_page_is_not_taken_for_the_whole_page() -> None:
    lines = (TextLine("a", Box(0, 0, 1e-5, 1e-5)), TextLine("b", Box(0, 0, 1, 1), 1.0))
    assert result_of(result_to_text(PageResult(0, 1, 1, lines=lines))).lines == lines
