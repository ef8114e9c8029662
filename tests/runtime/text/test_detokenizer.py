from __future__ import annotations

from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from dsocr.runtime.text.tokenizer import Detokenizer, Tokenizer
from tests.runtime.goldens import golden_json

GOLDEN = golden_json("tokenizer.json")


def pieces(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    detokenizer = Detokenizer(tokenizer)
    return [*(detokenizer.push([token]) for token in ids), detokenizer.finish()]


def test_a_character_waits_for_its_last_token(tokenizer: Tokenizer) -> None:
    woman = [25730, 105]  # two tokens share the four bytes of one emoji

    assert pieces(tokenizer, woman) == ["", "👩", ""]


def test_special_tokens_are_not_split(tokenizer: Tokenizer) -> None:
    text = "<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|><｜end▁of▁sentence｜>"

    got = pieces(tokenizer, tokenizer.encode(text))

    assert "".join(got) == text
    assert {"<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<｜end▁of▁sentence｜>"} <= set(got)


def test_a_character_cut_off_by_the_end_is_shown_as_such(tokenizer: Tokenizer) -> None:
    assert pieces(tokenizer, [25730]) == ["", "\ufffd"]


def test_ids_that_pad_the_vocabulary_have_no_text(tokenizer: Tokenizer) -> None:
    assert pieces(tokenizer, [19923, 129000, 2058]) == ["Hello", "", " world", ""]


@given(ids=st.lists(st.integers(0, 129279), max_size=40))
@settings(max_examples=300, deadline=None)
def test_texts_of_any_tokens_add_up_to_the_decoded_text(
    tokenizer: Tokenizer, ids: list[int]
) -> None:
    assert "".join(pieces(tokenizer, ids)) == tokenizer.decode(ids)


IDS = st.lists(st.one_of(st.integers(0, 129279), st.integers(90, 260)), max_size=40)
"""Tokens from 90 on are single bytes, most of them not ASCII."""


@given(ids=IDS)
@settings(max_examples=300, deadline=None)
def test_the_ends_of_a_text_are_those_of_its_pieces(tokenizer: Tokenizer, ids: list[int]) -> None:
    lengths = map(len, pieces(tokenizer, ids)[:-1])
    assert tokenizer.text_ends(ids) == [*accumulate(lengths)]


@given(text=st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_ends_of_a_text_in_any_language_are_those_of_its_pieces(
    tokenizer: Tokenizer, text: str
) -> None:
    ids = tokenizer.encode(text)
    for end in range(len(ids) + 1):  # the last character of a part may be incomplete
        lengths = map(len, pieces(tokenizer, ids[:end])[:-1])
        assert tokenizer.text_ends(ids[:end]) == [*accumulate(lengths)]


@given(ids=IDS, cut=st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_a_run_of_tokens_has_the_text_of_its_tokens(
    tokenizer: Tokenizer, ids: list[int], cut: int
) -> None:
    detokenizer = Detokenizer(tokenizer)
    runs = [detokenizer.push(run) for run in (ids[:cut], ids[cut:])] + [detokenizer.finish()]
    one_by_one = pieces(tokenizer, ids)
    assert runs == [
        "".join(one_by_one[:-1][:cut]),
        "".join(one_by_one[:-1][cut:]),
        one_by_one[-1],
    ]


@given(text=st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_survives_the_way_through_tokens(tokenizer: Tokenizer, text: str) -> None:
    got = pieces(tokenizer, tokenizer.encode(text))

    assert "".join(got) == text
    assert not any("\ufffd" in piece for piece in got if "\ufffd" not in text)
