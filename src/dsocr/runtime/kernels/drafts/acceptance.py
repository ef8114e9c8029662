"""Which tokens of a step with drafts are kept: the drafts that are what the model chose, up to the
first that is not, and the model's own token after them."""

from __future__ import annotations

import torch
from torch import Tensor

from dsocr.runtime.kernels.drafts.layout import DraftRows
from dsocr.runtime.kernels.drafts.tables import (
    COUNT,
    FAILURES,
    MAX_DRAFT,
    MAX_WAIT,
    MIN_DRAFT,
    NUM_DRAFT_FIELDS,
    SIZE,
    WAIT,
    WIDTH,
    DraftTables,
    adapted,
)
from dsocr.runtime.kernels.sampling import LENGTH, TokenHistories
from dsocr.runtime.kernels.triton_compat import constexprs, tl, triton

_LENGTH, _COUNT, _SIZE, _FAILURES, _WAIT = constexprs(LENGTH, COUNT, SIZE, FAILURES, WAIT)
_WIDTH, _STATE, _MIN, _MAX, _MAX_WAIT = constexprs(
    WIDTH, NUM_DRAFT_FIELDS, MIN_DRAFT, MAX_DRAFT, MAX_WAIT
)


def accept_drafts(
    sampled: Tensor, histories: TokenHistories, tables: DraftTables, layout: DraftRows
) -> Tensor:
    """Appends what is kept of `sampled` (3, T), see `kernels.sampling`, to the sequences. Returns
    the number of tokens kept of each row (B,) int32, 0 for padding. A token with a flag is the last
    one that is kept."""
    runs = torch.zeros_like(layout.counts)
    for row, sequence in enumerate(layout.rows.tolist()):
        drafted, start = int(layout.counts[row]), int(layout.starts[row])
        if drafted < 0:
            continue
        indices = [row, *range(start, start + drafted)]
        tokens, flags = sampled[0, indices].tolist(), sampled[2, indices].tolist()
        drafts = layout.tokens[indices[1:]].tolist()
        right = 0
        while right < drafted and tokens[right] == drafts[right] and not flags[right]:
            right += 1
        length = int(histories.params[sequence, LENGTH]) + right
        if length < histories.tokens.shape[1]:
            histories.tokens[sequence, length] = tokens[right]
            histories.params[sequence, LENGTH] = length + 1
        runs[row] = right + 1
        if drafted:
            state = tables.state[sequence]
            changed = adapted(int(state[SIZE]), int(state[FAILURES]), drafted, right)
            state[SIZE], state[FAILURES], state[WAIT] = changed
    return runs


def accept_drafts_fused(
    sampled: Tensor, histories: TokenHistories, tables: DraftTables, layout: DraftRows
) -> Tensor:
    """`accept_drafts` in one kernel."""
    runs = torch.empty_like(layout.counts)
    _accept[(len(runs),)](
        *(sampled, histories.tokens, histories.params, tables.state, layout.tokens),
        *(layout.rows, layout.starts, layout.counts, runs),
        *(sampled.shape[1], histories.tokens.shape[1]),
        FIELDS=histories.params.shape[1],
        num_warps=1,
    )
    return runs


@triton.jit(do_not_specialize=["total"])
def _accept(
    SAMPLED, TOKENS, PARAMS, STATE, IDS, ROWS, STARTS, COUNTS, RUNS, total, max_tokens,
    FIELDS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    sequence = tl.load(ROWS + row)
    drafted = tl.load(COUNTS + row)
    kept = 0
    if drafted >= 0:
        start = tl.load(STARTS + row)
        step = tl.arange(0, _WIDTH)
        mask = step <= drafted
        index = tl.where(step == 0, row, start + step - 1)
        token = tl.load(SAMPLED + index, mask=mask, other=0)
        flags = tl.load(SAMPLED + 2 * total + index, mask=mask, other=0)
        draft = tl.load(IDS + start + step, mask=step < drafted, other=-1).to(tl.int32)
        is_right = (step < drafted) & (token == draft) & (flags == 0)
        right = tl.min(tl.where(is_right, _WIDTH, step), 0)
        own = tl.sum(tl.where(step == right, token, 0), 0)
        params = PARAMS + sequence * FIELDS
        length = tl.load(params + _LENGTH) + right
        state = STATE + sequence * _STATE
        size, failures = tl.load(state + _SIZE), tl.load(state + _FAILURES)
        tl.debug_barrier()  # all threads have loaded what is overwritten below
        if length < max_tokens:
            tl.store(TOKENS + sequence.to(tl.int64) * max_tokens + length, own)
            tl.store(params + _LENGTH, length + 1)
        kept = right + 1
        if drafted > 0:
            is_longer = (right == drafted) & (drafted >= size)
            is_shorter = 2 * right < drafted
            size = tl.where(
                is_longer, tl.minimum(_MAX, 2 * size),
                tl.where(is_shorter, tl.maximum(_MIN, size // 2), size),
            )  # fmt: skip
            failures = tl.where(right > 0, 0, failures + 1)
            power = tl.minimum(failures - 1, 10).to(tl.float32)
            wait = tl.where(failures < 2, 0, tl.exp2(power).to(tl.int32))
            tl.store(state + _SIZE, size)
            tl.store(state + _FAILURES, failures)
            tl.store(state + _WAIT, tl.minimum(wait, _MAX_WAIT))
    tl.store(RUNS + row, kept)
