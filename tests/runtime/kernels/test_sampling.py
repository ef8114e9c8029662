"""Sampling on the device: it bans exactly the tokens that the host's no-repeat rule bans."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dsocr.runtime.kernels.repetition_flags import flag_repetition_fused, make_repetition_state
from dsocr.runtime.kernels.sampling import (
    END,
    FULL,
    GUARDS_PROMPT,
    LENGTH,
    LIMIT,
    NGRAM,
    NGRAM_WINDOW,
    NOT_A_NUMBER,
    NUM_FIELDS,
    PROMPT,
    STUCK,
    TokenHistories,
    sample_tokens,
    sample_tokens_fused,
)
from dsocr.runtime.text.ngram import NoRepeatIndex
from dsocr.types import NoRepeat
from tests.runtime.kernels.compilations import num_compiled

# NumPy in the interpreter warns of infinities that are intended
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

VOCABULARY = 4500  # more than one chunk
MAX_TOKENS = 2100  # more than one iteration scans
EXEMPT = (2, 3)
SampleTokens = Callable[[Tensor, TokenHistories, Tensor], Tensor]
BOTH = pytest.mark.parametrize(
    "sample", [sample_tokens, sample_tokens_fused], ids=["plain", "fused"]
)


def histories(
    device: torch.device, sequences: list[tuple[list[int], int, NoRepeat | None]]
) -> TokenHistories:
    """From (tokens, number of prompt tokens, rule) of each."""
    tokens = torch.zeros(len(sequences), MAX_TOKENS, dtype=torch.int32)
    params = torch.zeros(len(sequences), NUM_FIELDS, dtype=torch.int32)
    for row, (known, num_prompt, rule) in enumerate(sequences):
        tokens[row, : len(known)] = torch.tensor(known)
        params[row, LENGTH], params[row, PROMPT] = len(known), num_prompt
        params[row, LIMIT] = MAX_TOKENS + 1
        if rule is not None:
            params[row, NGRAM], params[row, NGRAM_WINDOW] = rule.ngram, rule.window or 0
    exempt = torch.tensor(EXEMPT, dtype=torch.int32)
    return TokenHistories(tokens.to(device), params.to(device), exempt.to(device), end=1)


def banned(
    known: list[int], num_prompt: int, rule: NoRepeat, *, covers_prompt: bool = False
) -> set[int]:
    prompt, exempt = known[:num_prompt], frozenset(EXEMPT)
    guard = NoRepeatIndex(rule, prompt=prompt, exempt=exempt, covers_prompt=covers_prompt)
    for token in known[num_prompt:]:
        guard.push(token)
    return set(guard.banned())


def random_sequence(rng: random.Random) -> tuple[list[int], int, NoRepeat]:
    """Of few different tokens, so that it repeats; some long, some shorter than an n-gram."""
    length = rng.choice([1, 2, 3, 9, 40, 40, 40, 2080])
    num_words = rng.choice([2, 4, 6])
    known = [rng.randrange(num_words) for _ in range(length)]
    if rng.random() < 0.3:
        known = (known[: rng.randrange(1, 8)] * length)[:length]
    window = rng.choice([None, None, 1, 5, 30, 90])
    return known, rng.randrange(length + 1), NoRepeat(rng.choice([1, 2, 3, 5, 30]), window)


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_device_bans_what_the_host_bans(
    device: torch.device, sample: SampleTokens, seed: int
) -> None:
    rng = random.Random(seed)
    sequences = [random_sequence(rng) for _ in range(8)]
    tables = histories(device, sequences)
    # tokens of the history have the highest logits, so that bans decide the result
    logits = torch.randn(8, VOCABULARY, generator=torch.Generator().manual_seed(seed))
    logits[:, :6] += 10
    logits = logits.to(device)
    scores = logits.clone()
    rows = torch.tensor([*range(7, -1, -1)], dtype=torch.int32, device=device)

    tokens, bits, flags = sample(logits, tables, rows)

    for row, sequence in enumerate(reversed(sequences)):
        bans = banned(*sequence)
        assert set((logits[row] == float("-inf")).nonzero().flatten().tolist()) == bans
        scores[row, list(bans)] = float("-inf")
        best = int(scores[row].argmax())
        assert tokens[row] == best
        assert flags[row] == (END if best == 1 else 0)
        known = sequence[0]
        assert tables.tokens[7 - row, : len(known) + 1].tolist() == [*known, best]
        assert tables.params[7 - row, LENGTH] == len(known) + 1


@BOTH
@pytest.mark.parametrize("seed", range(2))
def test_a_rule_that_covers_the_prompt_bans_what_it_bans_on_the_host(
    device: torch.device, sample: SampleTokens, seed: int
) -> None:
    rng = random.Random(seed)
    sequences = [random_sequence(rng) for _ in range(8)]
    tables = histories(device, sequences)
    tables.params[:, GUARDS_PROMPT] = 1
    logits = torch.zeros(8, VOCABULARY, device=device)

    sample(logits, tables, torch.arange(8, dtype=torch.int32, device=device))

    for row, sequence in zip(logits, sequences, strict=True):
        bans = banned(*sequence, covers_prompt=True)
        assert set((row == float("-inf")).nonzero().flatten().tolist()) == bans


@BOTH
def test_log_probability_includes_banned_tokens(device: torch.device, sample: SampleTokens) -> None:
    tables = histories(device, [([4, 4, 4], 0, NoRepeat(2)), ([4, 4, 4], 0, None)])
    logits = torch.zeros(2, VOCABULARY)
    logits[:, 4], logits[:, 7] = 9.0, 8.0
    expected = logits.log_softmax(-1)
    rows = torch.tensor([0, 1], dtype=torch.int32, device=device)
    tokens, bits, _ = sample(logits.to(device), tables, rows)
    assert tokens.tolist() == [7, 4]
    assert bits.view(torch.float32).tolist() == pytest.approx(
        [expected[0, 7].item(), expected[1, 4].item()], abs=1e-5
    )


@BOTH
def test_flags_report_end_nan_stuck_and_full(device: torch.device, sample: SampleTokens) -> None:
    tables = histories(device, [([5], 0, None)] * 4)
    tables.params[3, LIMIT] = 2
    logits = torch.zeros(5, VOCABULARY)
    logits[0, 1] = 3.0
    logits[1, VOCABULARY - 1] = float("nan")
    logits[2] = float("-inf")
    rows = torch.tensor([0, 1, 2, 3, -1], dtype=torch.int32, device=device)
    flags = sample(logits.to(device), tables, rows)[2].tolist()
    assert flags[0] == END
    assert flags[1] & NOT_A_NUMBER
    assert flags[2] & (STUCK | NOT_A_NUMBER)
    assert flags[3] == FULL
    assert tables.params[:, LENGTH].tolist() == [2] * 4


@BOTH
def test_row_with_every_token_banned_is_stuck(device: torch.device, sample: SampleTokens) -> None:
    tables = histories(device, [([0, 1, 2], 0, NoRepeat(1))])
    logits = torch.full((1, VOCABULARY), float("-inf"))
    logits[0, :3] = 1.0
    rows = torch.zeros(1, dtype=torch.int32, device=device)
    flags = sample(logits.to(device), tables, rows)[2]
    assert int(flags[0]) & STUCK


@BOTH
def test_full_history_stays_unchanged(device: torch.device, sample: SampleTokens) -> None:
    tables = histories(device, [([5] * MAX_TOKENS, 0, None)])
    rows = torch.zeros(1, dtype=torch.int32, device=device)
    sample(torch.zeros(1, VOCABULARY, device=device), tables, rows)
    assert tables.params[0, LENGTH] == MAX_TOKENS


@pytest.mark.gpu
def test_other_numbers_of_rows_cause_no_compilation(device: torch.device) -> None:
    """Only the first does."""
    tables = histories(device, [([1, 2, 3], 1, NoRepeat(2))] * 64)
    state = make_repetition_state(tables.tokens, [])

    def step(count: int) -> None:
        rows = torch.arange(count, dtype=torch.int32, device=device)
        sampled = sample_tokens_fused(torch.zeros(count, VOCABULARY, device=device), tables, rows)
        flag_repetition_fused(tables, state, rows, sampled[2])

    step(4)
    before = num_compiled(device)
    for count in (1, 2, 3, 15, 16, 17, 64):
        step(count)
    assert num_compiled(device) == before
