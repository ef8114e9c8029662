from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr.runtime.text.ngram import NoRepeatIndex
from dsocr.types import NoRepeat
from tests.runtime.goldens import golden_json

CASES = golden_json("ngram_processor.json")


def banned_after(
    no_repeat: NoRepeat,
    output: list[int],
    *,
    prompt: list[int] | None = None,
    exempt: frozenset[int] = frozenset(),
    covers_prompt: bool = False,
) -> set[int]:
    guard = NoRepeatIndex(
        no_repeat, prompt=prompt or [], exempt=exempt, covers_prompt=covers_prompt
    )
    for token in output:
        guard.push(token)
    return set(guard.banned())


def naive_window(out: list[int], n: int, window: int, exempt: frozenset[int]) -> set[int]:
    """The authors' processor as the specification tells it."""
    if len(out) < n:
        return set()
    prefix = out[-(n - 1) :]  # with n = 1 the whole list, and so nothing is ever found
    starts = range(max(0, len(out) - window), len(out) - n + 1)
    return {out[i + n - 1] for i in starts if out[i : i + n - 1] == prefix} - exempt


def naive_window_of_all(sequence: list[int], n: int, window: int) -> set[int]:
    """That of Unlimited-OCR, as the specification tells it."""
    last = sequence[len(sequence) - n + 1 :]
    starts = range(max(0, len(sequence) - window), len(sequence) - n + 1)
    return {sequence[i + n - 1] for i in starts if sequence[i : i + n - 1] == last}


def naive_whole(sequence: list[int], n: int) -> set[int]:
    """transformers' processor: every n-gram of prompt and output."""
    if len(sequence) + 1 < n:
        return set()
    last = sequence[len(sequence) - n + 1 :]
    starts = range(len(sequence) - n + 1)
    return {sequence[i + n - 1] for i in starts if sequence[i : i + n - 1] == last}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"n{case['ngram_size']}")
def test_both_forms_ban_what_upstream_bans(case: dict[str, Any]) -> None:
    window = NoRepeat(case["ngram_size"], case["window_size"])
    exempt = frozenset(case["whitelist"])

    assert banned_after(window, case["ids"], exempt=exempt) == set(case["banned_window"])
    whole = NoRepeat(case["ngram_size"])
    assert banned_after(whole, case["ids"], exempt=exempt) == set(case["banned_hf_no_window"])


tokens = st.lists(st.integers(0, 3), max_size=60)


@given(tokens, st.integers(1, 8), st.integers(1, 40), st.frozensets(st.integers(0, 3), max_size=2))
def test_the_window_index_bans_what_the_scan_bans(
    output: list[int], n: int, window: int, exempt: frozenset[int]
) -> None:
    for length in range(len(output) + 1):
        seen = output[:length]
        expected = naive_window(seen, n, window, exempt)
        assert banned_after(NoRepeat(n, window), seen, exempt=exempt) == expected


@given(tokens, tokens, st.integers(1, 8))
def test_the_whole_index_bans_what_the_scan_bans(
    prompt: list[int], output: list[int], n: int
) -> None:
    expected = naive_whole(prompt + output, n)
    assert banned_after(NoRepeat(n), output, prompt=prompt, exempt=frozenset({1})) == expected


@given(tokens, tokens, st.integers(1, 8), st.integers(1, 40))
def test_a_window_over_prompt_and_output_bans_what_the_scan_bans(
    prompt: list[int], output: list[int], n: int, window: int
) -> None:
    rule, exempt = NoRepeat(n, window), frozenset({1})
    found = banned_after(rule, output, prompt=prompt, exempt=exempt, covers_prompt=True)
    assert found == naive_window_of_all(prompt + output, n, window)


def test_the_prompt_counts_only_without_a_window() -> None:
    prompt = [5, 6, 7]

    assert banned_after(NoRepeat(3), [5, 6], prompt=prompt) == {7}
    assert banned_after(NoRepeat(3, 90), [5, 6], prompt=prompt) == set()


@pytest.mark.parametrize("rule", [NoRepeat(1), NoRepeat(2), NoRepeat(3, 8), NoRepeat(2, 5)])
def test_tokens_that_are_only_supposed_leave_no_trace(rule: NoRepeat) -> None:
    dice = random.Random(5)
    index, pushed = NoRepeatIndex(rule), NoRepeatIndex(rule)
    for _ in range(200):
        supposed = dice.choices(range(4), k=dice.randrange(6))
        expected = NoRepeatIndex(rule)
        for token in [*pushed._tokens, *supposed]:
            expected.push(token)
        assert sorted(index.banned_after(supposed)) == sorted(expected.banned())
        assert sorted(index.banned()) == sorted(pushed.banned())
        token = dice.randrange(4)
        index.push(token)
        pushed.push(token)
