"""Scores to tokens: greedy or drawn, with the no-repeat guard's bans (spec 6)."""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import NamedTuple

import torch
from torch import Tensor

from dsocr.runtime.scheduling.sequence import Ending, Sequence

_STUCK = float("-inf")
_SEEDS = (1 << 63) - 1


class NotANumber(Exception):
    """The model computed no usable scores: a number overflowed, or the weights are damaged."""


class Sampled(NamedTuple):
    """One chosen token and its log-probability before any ban."""

    token: int
    logprob: float
    ending: Ending | None
    """Whether the page ends with it."""
    is_suspect: bool = True
    """Whether the sequence may repeat itself. The device tells; who does not ask it must look."""


Choice = Sampled | NotANumber | None
"""What a step brought a sequence. None: the guard left nothing to choose, or nothing was asked."""


@torch.inference_mode()
def sample(logits: Tensor, sequences: Many[Sequence]) -> list[Choice]:
    """The next token of each sequence from float32 scores (N, vocabulary), which it may change."""
    total = logits.logsumexp(dim=-1)  # (N,), of the scores as the model gave them
    _ban(logits, sequences)
    tokens = logits.argmax(dim=-1)  # (N,)
    for row, sequence in enumerate(sequences):
        if sequence.params.temperature > 0:
            tokens[row] = draw(logits[row], sequence)
    chosen = logits.gather(1, tokens[:, None])[:, 0]
    # the one sync of a step; token ids are exact in float32
    rows = torch.stack((tokens.float(), chosen, total), dim=1).tolist()
    return [_choice(one, *row) for one, row in zip(sequences, rows, strict=True)]


def _choice(sequence: Sequence, token: float, score: float, whole: float) -> Choice:
    if score != score or whole != whole:
        return NotANumber()
    if score == _STUCK:
        return None
    return Sampled(int(token), min(0.0, score - whole), sequence.ending_with(int(token)))


def _ban(logits: Tensor, sequences: Many[Sequence]) -> None:
    rows: list[int] = []
    columns: list[int] = []
    for row, sequence in enumerate(sequences):
        banned = sequence.banned()
        rows += [row] * len(banned)
        columns += banned
    if rows:
        places = torch.tensor([rows, columns]).to(logits.device, non_blocking=True)
        logits[places[0], places[1]] = _STUCK


def draw(scores: Tensor, sequence: Sequence) -> Tensor:
    """A token drawn from the most likely ones that together reach `top_p`, on the device."""
    params = sequence.params
    if sequence.generator is None:
        sequence.generator = torch.Generator(scores.device)
    # of its place alone: a step that has to be repeated draws the same again
    place = len(sequence.output_ids) + sequence.num_pending
    sequence.generator.manual_seed(((params.seed << 20) + place) & _SEEDS)
    probabilities = (scores / params.temperature).softmax(dim=-1)
    if params.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        outside = ordered.cumsum(dim=-1) - ordered >= params.top_p  # never the first
        # where they are, without asking the device how many
        outside = torch.zeros_like(outside).scatter(0, order, outside)
        probabilities = probabilities.masked_fill(outside, 0.0)
    # an exponential race picks each token with its probability; unlike multinomial it cannot raise
    noise = torch.empty_like(probabilities).exponential_(generator=sequence.generator)
    return (probabilities / noise.clamp_min(1e-20)).argmax()
