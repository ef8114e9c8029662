"""Repetition detection on synthetic pages and loops; `bench.texts.repetition` measures more."""

from __future__ import annotations

import pytest

from bench.texts.loops import LATE, loops, wide_numbered_rows
from bench.texts.normal import KINDS, normal_text
from bench.texts.repetition import LIMIT, alarm, real_texts
from dsocr.runtime.scheduling.sequence import SamplingParams, Sequence
from dsocr.runtime.text.repetition import RepetitionDetector, TokenKinds, token_kinds
from dsocr.runtime.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def kinds(tokenizer: Tokenizer) -> TokenKinds:
    return token_kinds(tokenizer)


def test_the_kinds_of_tokens_are_found_by_their_text(
    tokenizer: Tokenizer, kinds: TokenKinds
) -> None:
    assert [kinds.digits[token] for token in tokenizer.encode("12345")] == ["123", "45"]
    assert kinds.row in tokenizer.encode("<tr>") and kinds.cell_end in tokenizer.encode("</td>")
    words = [kinds.is_word(token) for token in tokenizer.encode(" word,的<td>")]
    assert words == [True, False, True, False]


def test_all_tokens_of_digits_are_found(tokenizer: Tokenizer, kinds: TokenKinds) -> None:
    texts = enumerate(map(tokenizer.token_bytes, range(tokenizer.vocab_size)))
    assert kinds.digits == {token: text.decode() for token, text in texts if text.isdigit()}


@pytest.mark.parametrize(("name", "text"), list(real_texts()))
def test_a_real_page_is_no_loop(
    tokenizer: Tokenizer, kinds: TokenKinds, name: str, text: str
) -> None:
    assert alarm(kinds, tokenizer.encode(text)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_that_repeats_itself_by_right_is_no_loop(
    tokenizer: Tokenizer, kinds: TokenKinds, kind: str
) -> None:
    for seed in range(3):
        assert alarm(kinds, tokenizer.encode(normal_text(kind, seed))) is None


def test_loops_are_noticed_in_time_and_cut_where_they_begin(
    tokenizer: Tokenizer, kinds: TokenKinds
) -> None:
    for kind, one in loops(tokenizer, range(2)):
        found = alarm(kinds, one.tokens)
        assert found is not None, kind
        at, keep = found
        assert one.start < at <= one.start + LIMIT, kind
        assert 1 <= keep < at, kind


@pytest.mark.parametrize("loop", ["once upon a time, ", "<tr><td>Milk</td><td>2 l</td></tr>"])
def test_one_clean_copy_is_kept(tokenizer: Tokenizer, kinds: TokenKinds, loop: str) -> None:
    beginning = "A page begins with words of its own.\n\n"
    tokens = tokenizer.encode(beginning + loop * 200)
    found = alarm(kinds, tokens)
    assert found is not None
    kept = tokenizer.decode(tokens[: found[1]])
    assert kept.count(loop.strip()) == 1
    assert (beginning + loop + loop).startswith(kept)


def test_a_list_that_only_counts_is_cut_after_its_first_items(
    tokenizer: Tokenizer, kinds: TokenKinds
) -> None:
    tokens = tokenizer.encode("Items: " + "".join(f"{number}. " for number in range(1, 400)))
    found = alarm(kinds, tokens)
    assert found is not None
    kept = tokenizer.decode(tokens[: found[1]])
    assert kept.startswith("Items: 1") and len(kept) < 30


def test_numbered_blank_rows_may_be_as_many_as_a_month_has_days(
    tokenizer: Tokenizer, kinds: TokenKinds
) -> None:
    for seed in range(3):
        one = wide_numbered_rows(tokenizer, seed)
        found = alarm(kinds, one.tokens)
        assert found is not None, LATE
        rows = tokenizer.decode(one.tokens[one.start : found[0]]).count("<tr>")
        assert 31 < rows <= 45


def test_a_sequence_ends_where_its_loop_begins(tokenizer: Tokenizer, kinds: TokenKinds) -> None:
    sequence = Sequence(
        [0], SamplingParams(), 8000, tokenizer.special, repetition=RepetitionDetector(kinds)
    )
    tokens = tokenizer.encode("Dear reader, " + "thank you very much, " * 200)
    for token in tokens:
        sequence.append(token, -0.1, ending=sequence.ending_with(token))
        if sequence.finish_reason is not None:
            break
    assert sequence.finish_reason == "repetition"
    assert tokenizer.decode(sequence.output_ids).count("thank") == 1
    assert len(sequence.logprobs) == len(sequence.output_ids)
