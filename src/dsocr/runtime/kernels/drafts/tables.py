"""What the device has of the drafts of all sequences: references, grammar, and the next draft.

A draft is looked up at the end of a step for the next one, so that its length is among the step's
results. See `text.draft_lookup` for the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.text.draft_lookup import END, Grammar

WIDTH = 16
"""Tokens of one sequence in a step: the newest one and its drafts. `tl.dot` takes no fewer rows."""
MAX_DRAFT = WIDTH - 1
FIRST_DRAFT, MIN_DRAFT = 8, 4
"""The length of a draft doubles with each one that is right to its end, and halves with each one of
which less than half is."""
MAX_WAIT = 32
"""Steps without a draft, at most, after drafts of which nothing was right: 2 after two of them,
twice as many with each more."""
MAX_REFERENCE = 16384
"""Tokens of a sequence's references that are used."""

CAPACITY, COUNT, NEXT, BOX, SIZE, FAILURES, WAIT, MOST, PUSHED, NUM_REFERENCE = range(10)
NUM_DRAFT_FIELDS = 16
"""Columns of a sequence's state: positions in its blocks; tokens of the next draft; the place in
the references that is expected next, below 0 for none; `Grammar.box_after` of the newest token;
most tokens of a draft for now; drafts in turn without a right token; steps to wait; most tokens of
any draft, 0 for none; output tokens that this state includes; tokens of the references."""


@dataclass(frozen=True, slots=True)
class DraftTables:
    """The device's tables of all sequences."""

    references: Tensor
    """(sequences, MAX_REFERENCE) int32, END after each reference."""
    state: Tensor
    """(sequences, NUM_DRAFT_FIELDS) int32."""
    drafts: Tensor
    """(sequences, WIDTH) int32: the next draft."""
    follows: Tensor
    """(2 + any, 1 + most) int32: a token and those that come after it, END behind them. The first
    two are a box's separator and its end, whose token is END."""
    starts: Tensor
    """(any,) int32: tokens after which the text of a block or a cell begins."""
    numbers: Tensor
    """(any,) int8, by token: 1 for the numbers of a box. Tokens past its end are none."""
    grammar: Grammar


def make_draft_tables(
    num_slots: int, grammar: Grammar, device: torch.device, *, max_reference: int = MAX_REFERENCE
) -> DraftTables:
    """Tables of sequences without drafts."""

    def table(width: int) -> Tensor:
        return torch.zeros(num_slots, width, dtype=torch.int32, device=device)

    fixed = [(END, grammar.separator), (END, grammar.box_close), *grammar.follows.items()]
    most = max(1, *(len(tokens) for _, tokens in fixed))
    follows = [[token, *tokens, *[END] * (most - len(tokens))] for token, tokens in fixed]
    is_number = torch.zeros(max(grammar.numbers, default=0) + 1, dtype=torch.int8)
    is_number[[*grammar.numbers]] = 1
    return DraftTables(
        table(max_reference),
        table(NUM_DRAFT_FIELDS),
        table(WIDTH),
        torch.tensor(follows, dtype=torch.int32, device=device),
        torch.tensor(sorted(grammar.starts), dtype=torch.int32, device=device),
        is_number.to(device),
        grammar,
    )


def adapted(size: int, failures: int, drafted: int, accepted: int) -> tuple[int, int, int]:
    """The length of the next draft, the drafts in turn without a right token, and the steps to
    wait, after a draft of which so many tokens were right."""
    if accepted == drafted >= size:
        size = min(MAX_DRAFT, 2 * size)
    elif 2 * accepted < drafted:
        size = max(MIN_DRAFT, size // 2)
    failures = 0 if accepted else failures + 1
    wait = 0 if failures < 2 else min(MAX_WAIT, 1 << min(failures - 1, 10))
    return size, failures, wait
