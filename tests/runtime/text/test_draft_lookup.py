"""Drafts are looked up in what a page is likely to repeat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dsocr.runtime.text.draft_lookup import DraftLookup, Grammar

DET, END_DET, BRACKET, BREAK, CELL = 100, 101, 102, 103, 104
GRAMMAR = Grammar(DET, END_DET, {END_DET: (BREAK,), DET: (BRACKET,)}, frozenset({BREAK, CELL}))


def lookup(*references: Sequence[int], written: Iterable[int] = ()) -> DraftLookup:
    found = DraftLookup(references, grammar=GRAMMAR)
    for token in written:
        found.push(token)
    return found


def test_what_follows_the_last_tokens_in_a_reference_is_the_draft() -> None:
    assert lookup([1, 2, 3, 4, 5, 6], written=[9, 2, 3]).propose(2) == [4, 5]
    assert lookup([1, 2, 3, 4, 5, 6], written=[9, 2, 3]).propose(8) == [4, 5, 6]


def test_one_equal_token_is_no_match() -> None:
    assert lookup([1, 2, 3, 4], written=[9, 2]).propose(4) == []


def test_the_longer_match_wins() -> None:
    references = [2, 3, 7, 7, 1, 2, 3, 8]
    assert lookup(references, written=[1, 2, 3]).propose(1) == [8]
    assert lookup(references, written=[5, 2, 3]).propose(1) == [7]


def test_of_equal_matches_the_one_after_the_last_place_used_is_taken() -> None:
    found = lookup([1, 2, 3, 4, 5, 1, 2, 6], written=[3, 4])
    assert found.propose(1) == [5]
    for token in (5, 1, 2):
        found.push(token)
    assert found.propose(1) == [6]


def test_a_draft_ends_with_its_reference() -> None:
    assert lookup([1, 2, 3], [4, 5, 6], written=[1, 2]).propose(8) == [3]
    assert lookup([1, 2, 3], [4, 5, 6], written=[3, 4]).propose(8) == []


def test_a_text_that_begins_is_drafted_from_where_the_last_one_ended() -> None:
    found = lookup([1, 2, 3, 4, 5, 6], written=[1, 2])
    assert found.propose(2) == [3, 4]
    for token in (3, 4, DET, BRACKET, 50, END_DET, BREAK):
        found.push(token)
    assert found.propose(8) == [5, 6]


def test_numbers_of_boxes_are_not_drafted_and_the_grammar_is() -> None:
    found = lookup([50, 51, 52, 53], written=[DET])
    assert found.propose(4) == [BRACKET]
    for token in (BRACKET, 50, 51):
        found.push(token)
    assert found.propose(4) == []
    found.push(END_DET)
    assert found.propose(4) == [BREAK]


def test_the_page_itself_is_a_reference() -> None:
    found = lookup(written=[1, 2, 3, 4, 9, 1, 2])
    assert found.propose(2) == [3, 4]
    found.push(3)
    assert found.propose(2) == [4, 9]


def test_the_latest_place_in_the_output_is_used() -> None:
    assert lookup(written=[1, 2, 3, 1, 2, 4, 1, 2]).propose(1) == [4]


def test_no_more_is_drafted_than_was_asked_for() -> None:
    assert lookup([1, 2, 3, 4], written=[1, 2]).propose(0) == []
    assert lookup([1, 2, 3, 4], written=[DET]).propose(0) == []
    assert lookup().propose(4) == []
