"""What the device counts of loops: never less than the host's watch would need to speak up."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest
import torch

from bench.normal_texts import KINDS, honest_text
from bench.planted_loops import LATE, loops, wide_numbered_rows
from bench.repetition import alarm, suspects
from dsocr.runtime.kernels.repetition_flags import (
    BLIND,
    SUSPECT,
    UNWATCHED,
    WATCHED,
    Traces,
    flag_suspects,
    flag_suspects_fused,
    traces_for,
)
from dsocr.runtime.kernels.sampling import LENGTH, NUM_FIELDS, PROMPT, WATCH, Histories
from dsocr.runtime.kernels.triton_language import INSTALLED
from dsocr.runtime.text.repetition import BLOCK, TokenKinds, token_kinds
from dsocr.runtime.text.tokenizer import Tokenizer

DIGITS = {5: "5", 6: "6"}
KINDS_OF_FEW = TokenKinds(DIGITS, lambda token: True, -1, -1)
PROMPT_TOKENS = 3


class Board:
    """The device's tables of some sequences that are written token by token."""

    def __init__(self, device: torch.device, kinds: list[int], most: int, digits: Iterable[int]):
        params = torch.zeros(len(kinds), NUM_FIELDS, dtype=torch.int32)
        params[:, WATCH] = torch.tensor(kinds)
        params[:, LENGTH] = params[:, PROMPT] = PROMPT_TOKENS
        tokens = torch.full((len(kinds), PROMPT_TOKENS + most), 7, dtype=torch.int32)
        exempt = torch.zeros(0, dtype=torch.int32)
        self.histories = Histories(tokens.to(device), params.to(device), exempt, end=-1)
        self.traces = traces_for(self.histories.tokens, [*digits])

    def write(self, tokens: list[int]) -> None:
        length = int(self.histories.params[0, LENGTH])
        device = self.histories.tokens.device
        news = torch.tensor(tokens, dtype=torch.int32, device=device)
        self.histories.tokens[:, length] = news
        self.histories.params[:, LENGTH] += 1

    def copy(self) -> Board:
        one = object.__new__(Board)
        one.histories = Histories(
            self.histories.tokens.clone(), self.histories.params.clone(), torch.zeros(0), -1
        )
        traces = self.traces
        one.traces = Traces(traces.symbols.clone(), traces.news.clone(), traces.digits)
        return one

    @property
    def state(self) -> list[torch.Tensor]:
        return [self.histories.params, self.traces.symbols, self.traces.news]


def drawn_line(dice: random.Random, length: int) -> list[int]:
    """Loops of few words and numbers, of all periods, with something new now and then."""
    line: list[int] = []
    while len(line) < length:
        words = [dice.randrange(9) for _ in range(dice.choice([1, 2, 7, 30, 200]))]
        novelty = dice.choice([0, 0, 0.02, 0.3])
        for _ in range(dice.choice([1, 3, 600 // len(words) + 1])):
            line += words
            if dice.random() < novelty:
                line.append(dice.randrange(9, 90))
    return line[:length]


def marks(board: Board, lines: list[list[int]]) -> Iterator[list[bool]]:
    """By the plain twin: after each token of all lines, which are suspect."""
    rows = torch.arange(len(lines), dtype=torch.int32, device=board.histories.tokens.device)
    for tokens in zip(*lines, strict=True):
        board.write([*tokens])
        flags = torch.zeros_like(rows)
        flag_suspects(board.histories, board.traces, rows, flags)
        yield [flag == SUSPECT for flag in flags.tolist()]


def test_the_twin_says_what_is_found_with_an_index() -> None:
    dice = random.Random(1)
    lines = [drawn_line(dice, 1700) for _ in range(3)]
    board = Board(torch.device("cpu"), [WATCHED] * 3, 1700, DIGITS)
    found = [*zip(*marks(board, lines), strict=True)]
    for marked, line in zip(found, lines, strict=True):
        assert [*marked] == [*suspects(KINDS_OF_FEW, line)]
        assert 0 < sum(marked) < len(line) // BLOCK


@pytest.mark.skipif(not INSTALLED, reason="needs triton")
@pytest.mark.parametrize("written", [0, 12, 340, 1370])
def test_the_kernel_keeps_and_says_what_the_twin_does(device: torch.device, written: int) -> None:
    steps = 40 if device.type == "cuda" else 20
    dice = random.Random(written)
    lines = [drawn_line(dice, written + steps) for _ in range(3)]
    kinds = [WATCHED, WATCHED, BLIND]
    plain = Board(device, kinds, written + steps, DIGITS)
    for _ in marks(plain, [line[:written] for line in lines]):
        pass
    fused = plain.copy()
    rows = torch.tensor([2, -1, 1, 0], dtype=torch.int32, device=device)
    for tokens in zip(*(line[written:] for line in lines), strict=True):
        said = []
        for board, look in ((plain, flag_suspects), (fused, flag_suspects_fused)):
            board.write([*tokens])
            flags = torch.ones(4, dtype=torch.int32, device=device)
            look(board.histories, board.traces, rows, flags)
            said.append(flags.tolist())
        assert said[0] == said[1]
        for ours, theirs in zip(fused.state, plain.state, strict=True):
            assert torch.equal(ours, theirs)


def test_of_what_was_not_seen_from_the_start_it_always_says_maybe() -> None:
    board = Board(torch.device("cpu"), [BLIND, UNWATCHED], 2 * BLOCK, ())
    line = [*range(2 * BLOCK)]
    found = [*marks(board, [line, line])]
    assert [mark[0] for mark in found] == [(place + 1) % BLOCK == 0 for place in line]
    assert not any(mark[1] for mark in found)


@pytest.fixture(scope="module")
def kinds(tokenizer: Tokenizer) -> TokenKinds:
    return token_kinds(tokenizer)


def test_every_alarm_of_the_watch_was_suspected(tokenizer: Tokenizer, kinds: TokenKinds) -> None:
    planted = [*loops(tokenizer, range(100, 104)), (LATE, wide_numbered_rows(tokenizer, 100))]
    for kind, one in planted:
        found = alarm(kinds, one.tokens)
        assert found is not None, kind
        assert [*suspects(kinds, one.tokens)][found[0] - 1], kind


def test_most_honest_pages_never_wake_the_watch(tokenizer: Tokenizer, kinds: TokenKinds) -> None:
    pages = [tokenizer.encode(honest_text(kind, 100)) for kind in KINDS]
    woken = [tokens for tokens in pages if any(suspects(kinds, tokens))]
    assert len(woken) < len(pages) / 2
