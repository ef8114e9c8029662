"""Repetition flags on the device: no page that the host's check would end goes unflagged."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest
import torch

from bench.texts.loops import LATE, loops, wide_numbered_rows
from bench.texts.normal import KINDS, normal_text
from bench.texts.repetition import alarm, suspects
from dsocr.runtime.kernels.repetition_flags import (
    CHECK_ALWAYS,
    CHECK_OFF,
    CHECK_ON,
    MAY_REPEAT,
    RepetitionState,
    flag_repetition,
    flag_repetition_fused,
    make_repetition_state,
)
from dsocr.runtime.kernels.sampling import (
    LENGTH,
    NUM_FIELDS,
    PROMPT,
    REPETITION_CHECK,
    TokenHistories,
)
from dsocr.runtime.kernels.triton_compat import INSTALLED
from dsocr.runtime.text.repetition import BLOCK, TokenKinds, token_kinds
from dsocr.runtime.text.tokenizer import Tokenizer

DIGITS = {5: "5", 6: "6"}
TOKEN_KINDS = TokenKinds(DIGITS, lambda token: True, -1, -1)
PROMPT_TOKENS = 3


class Tables:
    """The device's tables of some sequences, to which tokens are appended."""

    def __init__(
        self, device: torch.device, checks: list[int], max_output: int, digits: Iterable[int]
    ):
        params = torch.zeros(len(checks), NUM_FIELDS, dtype=torch.int32)
        params[:, REPETITION_CHECK] = torch.tensor(checks)
        params[:, LENGTH] = params[:, PROMPT] = PROMPT_TOKENS
        tokens = torch.full((len(checks), PROMPT_TOKENS + max_output), 7, dtype=torch.int32)
        exempt = torch.zeros(0, dtype=torch.int32)
        self.histories = TokenHistories(tokens.to(device), params.to(device), exempt, end=-1)
        self.state = make_repetition_state(self.histories.tokens, [*digits])

    def append(self, tokens: list[int]) -> None:
        length = int(self.histories.params[0, LENGTH])
        device = self.histories.tokens.device
        newest = torch.tensor(tokens, dtype=torch.int32, device=device)
        self.histories.tokens[:, length] = newest
        self.histories.params[:, LENGTH] += 1

    def copy(self) -> Tables:
        copied = object.__new__(Tables)
        copied.histories = TokenHistories(
            self.histories.tokens.clone(), self.histories.params.clone(), torch.zeros(0), -1
        )
        state = self.state
        copied.state = RepetitionState(state.symbols.clone(), state.is_new.clone(), state.digits)
        return copied

    @property
    def counted(self) -> list[torch.Tensor]:
        return [self.histories.params, self.state.symbols, self.state.is_new]


def random_loops(rng: random.Random, length: int) -> list[int]:
    """Loops of few words and numbers, of all periods, with an occasional new token."""
    tokens: list[int] = []
    while len(tokens) < length:
        words = [rng.randrange(9) for _ in range(rng.choice([1, 2, 7, 30, 200]))]
        novelty = rng.choice([0, 0, 0.02, 0.3])
        for _ in range(rng.choice([1, 3, 600 // len(words) + 1])):
            tokens += words
            if rng.random() < novelty:
                tokens.append(rng.randrange(9, 90))
    return tokens[:length]


def flagged(tables: Tables, outputs: list[list[int]]) -> Iterator[list[bool]]:
    """Which outputs the plain function flags after each token."""
    rows = torch.arange(len(outputs), dtype=torch.int32, device=tables.histories.tokens.device)
    for tokens in zip(*outputs, strict=True):
        tables.append([*tokens])
        flags = torch.zeros_like(rows)
        flag_repetition(tables.histories, tables.state, rows, flags)
        yield [flag == MAY_REPEAT for flag in flags.tolist()]


def test_plain_flags_equal_those_found_with_an_index() -> None:
    rng = random.Random(1)
    outputs = [random_loops(rng, 1700) for _ in range(3)]
    tables = Tables(torch.device("cpu"), [CHECK_ON] * 3, 1700, DIGITS)
    found = [*zip(*flagged(tables, outputs), strict=True)]
    for flags, output in zip(found, outputs, strict=True):
        assert [*flags] == [*suspects(TOKEN_KINDS, output)]
        assert 0 < sum(flags) < len(output) // BLOCK


@pytest.mark.skipif(not INSTALLED, reason="needs triton")
@pytest.mark.parametrize("written", [0, 12, pytest.param(340, marks=pytest.mark.slow), 1370])
def test_kernel_counts_and_flags_as_the_plain_function(device: torch.device, written: int) -> None:
    steps = 40 if device.type == "cuda" else 20
    rng = random.Random(written)
    outputs = [random_loops(rng, written + steps) for _ in range(3)]
    checks = [CHECK_ON, CHECK_ON, CHECK_ALWAYS]
    plain = Tables(device, checks, written + steps, DIGITS)
    for _ in flagged(plain, [output[:written] for output in outputs]):
        pass
    fused = plain.copy()
    rows = torch.tensor([2, -1, 1, 0], dtype=torch.int32, device=device)
    for tokens in zip(*(output[written:] for output in outputs), strict=True):
        results = []
        for tables, flag in ((plain, flag_repetition), (fused, flag_repetition_fused)):
            tables.append([*tokens])
            flags = torch.ones(4, dtype=torch.int32, device=device)
            flag(tables.histories, tables.state, rows, flags)
            results.append(flags.tolist())
        assert results[0] == results[1]
        for actual, expected in zip(fused.counted, plain.counted, strict=True):
            assert torch.equal(actual, expected)


def test_sequences_not_counted_from_the_start_are_always_flagged() -> None:
    tables = Tables(torch.device("cpu"), [CHECK_ALWAYS, CHECK_OFF], 2 * BLOCK, ())
    output = [*range(2 * BLOCK)]
    found = [*flagged(tables, [output, output])]
    assert [flags[0] for flags in found] == [(index + 1) % BLOCK == 0 for index in output]
    assert not any(flags[1] for flags in found)


@pytest.fixture(scope="module")
def kinds(tokenizer: Tokenizer) -> TokenKinds:
    return token_kinds(tokenizer)


def test_every_page_that_the_host_ends_was_flagged(tokenizer: Tokenizer, kinds: TokenKinds) -> None:
    planted = [*loops(tokenizer, range(100, 104)), (LATE, wide_numbered_rows(tokenizer, 100))]
    for kind, loop in planted:
        found = alarm(kinds, loop.tokens)
        assert found is not None, kind
        assert [*suspects(kinds, loop.tokens)][found[0] - 1], kind


def test_most_normal_pages_are_never_flagged(tokenizer: Tokenizer, kinds: TokenKinds) -> None:
    pages = [tokenizer.encode(normal_text(kind, 100)) for kind in KINDS]
    flagged_pages = [tokens for tokens in pages if any(suspects(kinds, tokens))]
    assert len(flagged_pages) < len(pages) / 2
