"""Sampling on the host: logits to tokens, greedy or drawn, with the no-repeat rule (spec 6)."""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import NamedTuple

import torch
from torch import Tensor

from dsocr.runtime.scheduling.sequence import Ending, Sequence

_BANNED = float("-inf")
_SEEDS = (1 << 63) - 1


class NotANumber(Exception):
    """The model's scores are not numbers: a value overflowed, or the weights are damaged."""


class SampledToken(NamedTuple):
    """One token and its log-probability before any ban."""

    token: int
    logprob: float
    ending: Ending | None
    """Why the page ends with it, or None."""
    may_repeat: bool = True
    """Whether the repetition detector has to check the sequence. The device decides it; true where
    tokens are sampled on the host."""


RowResult = SampledToken | NotANumber | None
"""The result of one row of logits. None: the no-repeat rule bans all tokens."""


class SampledRun(NamedTuple):
    """The result of a chunk with drafts: the tokens sampled one after another, up to the first that
    is not the drafted one or that ends the page."""

    results: tuple[RowResult, ...]
    """At least one; all but the last are tokens."""
    num_drafted: int = 0


SampleResult = RowResult | SampledRun
"""The result of a chunk. None also where no token was to be sampled."""


class SamplingRow(NamedTuple):
    """What a row of logits is sampled for: the next token of a sequence, or the one after the
    drafts, which are taken as right."""

    sequence: Sequence
    drafts: tuple[int, ...] = ()


@torch.inference_mode()
def sample(logits: Tensor, sequences: Many[Sequence]) -> list[RowResult]:
    """The next token of each sequence from float32 logits (N, vocabulary), which are modified."""
    return sample_rows(logits, [SamplingRow(one) for one in sequences])


@torch.inference_mode()
def sample_rows(logits: Tensor, rows: Many[SamplingRow]) -> list[RowResult]:
    """A token for each row of float32 logits (N, vocabulary), which are modified."""
    total = logits.logsumexp(dim=-1)  # (N,), before any ban
    _ban(logits, rows)
    tokens = logits.argmax(dim=-1)  # (N,)
    for number, (sequence, drafts) in enumerate(rows):
        if sequence.params.temperature > 0:
            tokens[number] = draw(logits[number], sequence, len(drafts))
    sampled = logits.gather(1, tokens[:, None])[:, 0]
    # the one sync of a step; token ids are exact in float32
    values = torch.stack((tokens.float(), sampled, total), dim=1).tolist()
    return [_result(row, *each) for row, each in zip(rows, values, strict=True)]


def _result(row: SamplingRow, token: float, logit: float, total: float) -> RowResult:
    if logit != logit or total != total:
        return NotANumber()
    if logit == _BANNED:
        return None
    ending = row.sequence.ending_with(int(token), len(row.drafts))
    return SampledToken(int(token), min(0.0, logit - total), ending)


def _ban(logits: Tensor, sampling: Many[SamplingRow]) -> None:
    rows: list[int] = []
    columns: list[int] = []
    for row, (sequence, drafts) in enumerate(sampling):
        banned = sequence.banned(drafts)
        rows += [row] * len(banned)
        columns += banned
    if rows:
        indices = torch.tensor([rows, columns]).to(logits.device, non_blocking=True)
        logits[indices[0], indices[1]] = _BANNED


def draw(logits: Tensor, sequence: Sequence, num_drafts: int = 0) -> Tensor:
    """A token drawn from the most likely ones that together reach `top_p`, on the device: the one
    after so many drafts."""
    params = sequence.params
    if sequence.generator is None:
        sequence.generator = torch.Generator(logits.device)
    # seeded by the position alone, so that a repeated step draws the same token
    position = len(sequence.output_ids) + sequence.num_pending + num_drafts
    sequence.generator.manual_seed(((params.seed << 20) + position) & _SEEDS)
    probabilities = (logits / params.temperature).softmax(dim=-1)
    if params.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        outside = ordered.cumsum(dim=-1) - ordered >= params.top_p  # never the first
        # back to vocabulary order, without synchronization
        outside = torch.zeros_like(outside).scatter(0, order, outside)
        probabilities = probabilities.masked_fill(outside, 0.0)
    # an exponential race samples with these probabilities; unlike multinomial it cannot raise
    noise = torch.empty_like(probabilities).exponential_(generator=sequence.generator)
    return (probabilities / noise.clamp_min(1e-20)).argmax()
