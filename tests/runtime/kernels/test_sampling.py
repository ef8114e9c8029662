"""The next token, on the device: what the host's guard bans is banned, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dsocr.runtime.kernels.repetition_flags import flag_suspects_fused, traces_for
from dsocr.runtime.kernels.sampling import (
    END,
    FULL,
    LENGTH,
    LIMIT,
    NGRAM,
    NGRAM_WINDOW,
    NOT_A_NUMBER,
    NUM_FIELDS,
    PROMPT,
    STUCK,
    Histories,
    choose,
    choose_fused,
)
from dsocr.runtime.text.ngram import NgramGuard, NoRepeat
from tests.runtime.kernels.compilations import num_compiled

# NumPy, which interprets the kernels, warns of infinities that are meant
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

VOCABULARY = 4500  # more than one piece
MOST = 2100  # more than is scanned at once
EXEMPT = (2, 3)
Choose = Callable[[Tensor, Histories, Tensor], Tensor]
BOTH = pytest.mark.parametrize("choose", [choose, choose_fused], ids=["plain", "fused"])


def histories(
    device: torch.device, sequences: list[tuple[list[int], int, NoRepeat | None]]
) -> Histories:
    """Of (tokens, how many are the prompt's, rule) each."""
    tokens = torch.zeros(len(sequences), MOST, dtype=torch.int32)
    params = torch.zeros(len(sequences), NUM_FIELDS, dtype=torch.int32)
    for row, (known, num_prompt, rule) in enumerate(sequences):
        tokens[row, : len(known)] = torch.tensor(known)
        params[row, LENGTH], params[row, PROMPT] = len(known), num_prompt
        params[row, LIMIT] = MOST + 1
        if rule is not None:
            params[row, NGRAM], params[row, NGRAM_WINDOW] = rule.ngram, rule.window or 0
    exempt = torch.tensor(EXEMPT, dtype=torch.int32)
    return Histories(tokens.to(device), params.to(device), exempt.to(device), end=1)


def banned(known: list[int], num_prompt: int, rule: NoRepeat) -> set[int]:
    guard = NgramGuard(rule, prompt=known[:num_prompt], exempt=frozenset(EXEMPT))
    for token in known[num_prompt:]:
        guard.push(token)
    return set(guard.banned())


def drawn_sequence(dice: random.Random) -> tuple[list[int], int, NoRepeat]:
    """Of few words, so that it repeats itself; some long, some shorter than an n-gram."""
    length = dice.choice([1, 2, 3, 9, 40, 40, 40, 2080])
    words = dice.choice([2, 4, 6])
    known = [dice.randrange(words) for _ in range(length)]
    if dice.random() < 0.3:
        known = (known[: dice.randrange(1, 8)] * length)[:length]
    window = dice.choice([None, None, 1, 5, 30, 90])
    return known, dice.randrange(length + 1), NoRepeat(dice.choice([1, 2, 3, 5, 30]), window)


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_the_device_bans_what_the_guard_bans(
    device: torch.device, choose: Choose, seed: int
) -> None:
    dice = random.Random(seed)
    sequences = [drawn_sequence(dice) for _ in range(8)]
    given = histories(device, sequences)
    # the words lead, so that bans decide what is chosen
    logits = torch.randn(8, VOCABULARY, generator=torch.Generator().manual_seed(seed))
    logits[:, :6] += 10
    logits = logits.to(device)
    scores = logits.clone()
    rows = torch.tensor([*range(7, -1, -1)], dtype=torch.int32, device=device)

    tokens, bits, flags = choose(logits, given, rows)

    for row, sequence in enumerate(reversed(sequences)):
        bans = banned(*sequence)
        assert set((logits[row] == float("-inf")).nonzero().flatten().tolist()) == bans
        scores[row, list(bans)] = float("-inf")
        best = int(scores[row].argmax())
        assert tokens[row] == best
        assert flags[row] == (END if best == 1 else 0)
        known = sequence[0]
        assert given.tokens[7 - row, : len(known) + 1].tolist() == [*known, best]
        assert given.params[7 - row, LENGTH] == len(known) + 1


@BOTH
def test_a_log_probability_counts_what_is_banned_as_well(
    device: torch.device, choose: Choose
) -> None:
    given = histories(device, [([4, 4, 4], 0, NoRepeat(2)), ([4, 4, 4], 0, None)])
    logits = torch.zeros(2, VOCABULARY)
    logits[:, 4], logits[:, 7] = 9.0, 8.0
    expected = logits.log_softmax(-1)
    rows = torch.tensor([0, 1], dtype=torch.int32, device=device)
    tokens, bits, _ = choose(logits.to(device), given, rows)
    assert tokens.tolist() == [7, 4]
    assert bits.view(torch.float32).tolist() == pytest.approx(
        [expected[0, 7].item(), expected[1, 4].item()], abs=1e-5
    )


@BOTH
def test_flags_tell_what_a_token_cannot(device: torch.device, choose: Choose) -> None:
    given = histories(device, [([5], 0, None)] * 4)
    given.params[3, LIMIT] = 2
    logits = torch.zeros(5, VOCABULARY)
    logits[0, 1] = 3.0
    logits[1, VOCABULARY - 1] = float("nan")
    logits[2] = float("-inf")
    rows = torch.tensor([0, 1, 2, 3, -1], dtype=torch.int32, device=device)
    flags = choose(logits.to(device), given, rows)[2].tolist()
    assert flags[0] == END
    assert flags[1] & NOT_A_NUMBER
    assert flags[2] & (STUCK | NOT_A_NUMBER)
    assert flags[3] == FULL
    assert given.params[:, LENGTH].tolist() == [2] * 4


@BOTH
def test_where_every_token_is_banned_the_row_is_stuck(device: torch.device, choose: Choose) -> None:
    given = histories(device, [([0, 1, 2], 0, NoRepeat(1))])
    logits = torch.full((1, VOCABULARY), float("-inf"))
    logits[0, :3] = 1.0
    rows = torch.zeros(1, dtype=torch.int32, device=device)
    flags = choose(logits.to(device), given, rows)[2]
    assert int(flags[0]) & STUCK


@BOTH
def test_a_full_history_takes_no_more(device: torch.device, choose: Choose) -> None:
    given = histories(device, [([5] * MOST, 0, None)])
    rows = torch.zeros(1, dtype=torch.int32, device=device)
    choose(torch.zeros(1, VOCABULARY, device=device), given, rows)
    assert given.params[0, LENGTH] == MOST


@pytest.mark.gpu
def test_no_number_of_rows_waits_for_the_compiler(device: torch.device) -> None:
    """The first does."""
    given = histories(device, [([1, 2, 3], 1, NoRepeat(2))] * 64)
    traces = traces_for(given.tokens, [])

    def step(count: int) -> None:
        rows = torch.arange(count, dtype=torch.int32, device=device)
        chosen = choose_fused(torch.zeros(count, VOCABULARY, device=device), given, rows)
        flag_suspects_fused(given, traces, rows, chosen[2])

    step(4)
    before = num_compiled(device)
    for count in (1, 2, 3, 15, 16, 17, 64):
        step(count)
    assert num_compiled(device) == before
