"""What the kernels for experts share: the weights as the model holds them, and the plain formula.

The shared experts are experts like the others, only that every token passes them and that their
weights lie elsewhere; a dense MLP is one shared expert and no others. Nothing is copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.layers.int8 import dequantized_one


@dataclass(frozen=True, slots=True)
class ExpertWeights:
    """One layer's. `w13` and `w2` are None where there are none to choose from."""

    gate: Tensor  # (shared * width, hidden)
    up: Tensor  # (shared * width, hidden)
    down: Tensor  # (hidden, shared * width)
    width: int
    w13: Tensor | None = None  # (experts, 2 * width, hidden), gate over up
    w2: Tensor | None = None  # (experts, hidden, width)
    num_chosen: int = 0
    normalize: bool = False
    scale: float = 1.0
    scale13: Tensor | None = None
    """(experts, 2 * width) float32, a row's; None unless `w13` and `w2` are int8."""
    scale2: Tensor | None = None
    """(experts, hidden)."""

    @property
    def num_experts(self) -> int:
        return 0 if self.w13 is None else self.w13.shape[0]

    @property
    def num_shared(self) -> int:
        return self.gate.shape[0] // self.width

    @property
    def slots(self) -> int:
        """Experts that a token passes."""
        return self.num_chosen + self.num_shared


@dataclass(frozen=True, slots=True)
class Routes:
    """Where T tokens go. In what order an expert's tokens are listed differs from run to run and
    has no effect."""

    weights: Tensor  # (T, K) float32
    ids: Tensor  # (T, K) int32
    counts: Tensor  # (experts,) int32 tokens of each expert
    lists: Tensor
    """(experts, T) int32: an expert's tokens, each as token * stride + place among its choices."""


def choose_experts(logits: Tensor, experts: ExpertWeights) -> tuple[Tensor, Tensor]:
    """Weights (B, K) float32 and experts (B, K) int32, best first, from scores (B, experts)."""
    weights, ids = logits.softmax(-1).topk(experts.num_chosen, dim=-1)
    if experts.normalize:
        weights = weights / weights.sum(-1, keepdim=True)
    return weights * experts.scale, ids.int()


def pass_experts(x: Tensor, weights: Tensor, ids: Tensor, experts: ExpertWeights) -> Tensor:
    """What every expert of a token says, weighed: (B, slots, hidden); the shared ones last."""
    shared = [_shared(x, number, experts) for number in range(experts.num_shared)]
    return torch.cat((pass_chosen(x, weights, ids, experts), torch.stack(shared, dim=1)), dim=1)


def pass_chosen(x: Tensor, weights: Tensor, ids: Tensor, experts: ExpertWeights) -> Tensor:
    """The same of the chosen ones alone: (B, K, hidden)."""
    said = x.new_empty(len(x), experts.num_chosen, x.shape[1])
    for token, place in product(range(len(x)), range(experts.num_chosen)):
        weight, expert = float(weights[token, place]), int(ids[token, place])
        said[token, place] = _one(x[token], weight, expert, experts)
    return said


def _one(row: Tensor, weight: float, expert: int, experts: ExpertWeights) -> Tensor:
    assert experts.w13 is not None and experts.w2 is not None
    w13 = dequantized_one(experts.w13, experts.scale13, expert, row.dtype)
    gate, up = F.linear(row, w13).chunk(2)
    w2 = dequantized_one(experts.w2, experts.scale2, expert, row.dtype)
    said: Tensor = F.linear(F.silu(gate) * up, w2)
    return (said.float() * weight).to(row.dtype)


def _shared(x: Tensor, number: int, experts: ExpertWeights) -> Tensor:
    part = slice(number * experts.width, (number + 1) * experts.width)
    hidden = F.silu(F.linear(x, experts.gate[part])) * F.linear(x, experts.up[part])
    return F.linear(hidden, experts.down[:, part])
