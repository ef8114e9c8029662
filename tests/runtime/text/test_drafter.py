"""What a page's drafts are looked up in, and how long they are."""

from __future__ import annotations

import pytest

from dsocr.runtime.text.draft_lookup import DraftLookup
from dsocr.runtime.text.drafter import (
    FIRST_DRAFT,
    MAX_CHARACTERS,
    MAX_DRAFT,
    MIN_DRAFT,
    Drafter,
    Drafting,
    output_grammar,
)
from dsocr.runtime.text.tokenizer import Tokenizer

COUNTING = [*range(1000, 1100)]


def counting() -> Drafter:
    return Drafter(DraftLookup([COUNTING]))


def test_a_draft_follows_the_output() -> None:
    assert counting().propose(COUNTING[:5], 3) == tuple(COUNTING[5:8])
    assert counting().propose([7, 8, 9], 3) == ()
    assert counting().propose(COUNTING[:5], 0) == ()


def test_drafts_grow_where_they_are_right_and_shrink_where_they_are_not() -> None:
    drafter, lengths = counting(), []
    for accepted in (8, 16, 0, 0, 0):
        draft = drafter.propose(COUNTING[:10], 50)
        lengths.append(len(draft))
        drafter.record(len(draft), accepted)
    assert lengths == [FIRST_DRAFT, MAX_DRAFT, MAX_DRAFT, 8, MIN_DRAFT]
    assert (drafter.num_drafted, drafter.num_accepted) == (sum(lengths), 24)


def test_a_draft_cut_by_its_limit_tells_nothing_of_the_length() -> None:
    drafter = counting()
    drafter.record(len(drafter.propose(COUNTING[:10], 2)), 2)
    assert len(drafter.propose(COUNTING[:12], 50)) == FIRST_DRAFT


def num_passes(drafter: Drafter, ids: list[int]) -> int:
    """Passes to the end of these tokens, of which the first two are written."""
    place, passes = 2, 0
    while place < len(ids):
        for token in drafter.propose(ids[:place], 50):
            if ids[place : place + 1] != [token]:
                break
            place += 1
        place, passes = place + 1, passes + 1
    return passes


@pytest.mark.parametrize(
    "text",
    [
        "The first line of the text\ngoes on in a long",
        "The first line of the text goes on in a long sentence that ends here.",
    ],
)
def test_line_ends_are_drafted_as_breaks_and_as_blanks(tokenizer: Tokenizer, text: str) -> None:
    lines = ["The first line of the text", "goes on in a long sen- ", "tence that ends here."]
    assert num_passes(Drafting(tokenizer).drafter(lines), tokenizer.encode(text)) <= 3


def test_control_characters_are_no_part_of_a_reference(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("Sum of all items and taxes")
    drafter = Drafting(tokenizer).drafter(["Sum\x00 of\u200b  all\tit\x07ems and taxes"])
    assert drafter.propose(ids[:3], 8) == tuple(ids[3:])


def test_a_text_layer_is_read_up_to_a_limit(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the words at the very end")
    long = "word " * (MAX_CHARACTERS // 5)
    assert (
        Drafting(tokenizer).drafter([long, "the words at the very end"]).propose(ids[:3], 4) == ()
    )


def test_without_a_text_layer_the_output_is_the_reference(tokenizer: Tokenizer) -> None:
    drafter = Drafting(tokenizer).drafter(())
    assert drafter.propose([501, 502, 503, 504, 501, 502], 2) == (503, 504)


def test_what_separates_the_numbers_of_a_box_is_drafted(tokenizer: Tokenizer) -> None:
    box = tokenizer.encode("<|det|>[[12, 345, 6, 789]]<|/det|>\n")
    grammar = output_grammar(tokenizer)
    lookup, drafts = DraftLookup(grammar=grammar), []
    for token in box:
        lookup.push(token)
        if token in grammar.numbers:
            drafts.append(tokenizer.decode(lookup.propose(8)))
    assert drafts == [", ", ", ", ", ", "]]<|/det|>\n"]
