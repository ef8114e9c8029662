"""Weights of a layer's experts as the kernels take them, and the plain PyTorch of what they do.

A shared expert is computed for every token, and its weights are stored apart from the others; a
dense MLP is one shared expert and no others. The weights are the model's, not copies.
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
    """Of one layer. `w13` and `w2` are None where all experts are shared."""

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
    """(experts, 2 * width) float32, one per row; None unless `w13` and `w2` are int8."""
    scale2: Tensor | None = None
    """(experts, hidden) float32."""

    @property
    def num_experts(self) -> int:
        """Experts to choose from; the shared ones are not counted."""
        return 0 if self.w13 is None else self.w13.shape[0]

    @property
    def num_shared(self) -> int:
        return self.gate.shape[0] // self.width

    @property
    def experts_per_token(self) -> int:
        """Chosen and shared experts of a token."""
        return self.num_chosen + self.num_shared


@dataclass(frozen=True, slots=True)
class Routes:
    """The chosen experts of T tokens. The order within an expert's list varies between runs and has
    no effect on results."""

    weights: Tensor  # (T, K) float32
    ids: Tensor  # (T, K) int32
    counts: Tensor  # (experts,) int32 tokens of each expert
    lists: Tensor
    """(experts, T) int32: an expert's tokens, each as token * stride + rank among its choices."""


def choose_experts(logits: Tensor, experts: ExpertWeights) -> tuple[Tensor, Tensor]:
    """Weights (B, K) float32 and experts (B, K) int32, best first, of logits (B, experts)."""
    weights, ids = logits.softmax(-1).topk(experts.num_chosen, dim=-1)
    if experts.normalize:
        weights = weights / weights.sum(-1, keepdim=True)
    return weights * experts.scale, ids.int()


def apply_experts(x: Tensor, weights: Tensor, ids: Tensor, experts: ExpertWeights) -> Tensor:
    """Weighted output of each expert of a token: (B, K + shared, hidden); the shared ones last."""
    shared = [_apply_shared(x, index, experts) for index in range(experts.num_shared)]
    return torch.cat((apply_chosen(x, weights, ids, experts), torch.stack(shared, dim=1)), dim=1)


def apply_chosen(x: Tensor, weights: Tensor, ids: Tensor, experts: ExpertWeights) -> Tensor:
    """Weighted output of each chosen expert: (B, K, hidden)."""
    out = x.new_empty(len(x), experts.num_chosen, x.shape[1])
    for token, rank in product(range(len(x)), range(experts.num_chosen)):
        weight, expert = float(weights[token, rank]), int(ids[token, rank])
        out[token, rank] = _apply_one(x[token], weight, expert, experts)
    return out


def _apply_one(row: Tensor, weight: float, expert: int, experts: ExpertWeights) -> Tensor:
    assert experts.w13 is not None and experts.w2 is not None
    w13 = dequantized_one(experts.w13, experts.scale13, expert, row.dtype)
    gate, up = F.linear(row, w13).chunk(2)
    w2 = dequantized_one(experts.w2, experts.scale2, expert, row.dtype)
    expert_out: Tensor = F.linear(F.silu(gate) * up, w2)
    return (expert_out.float() * weight).to(row.dtype)


def _apply_shared(x: Tensor, index: int, experts: ExpertWeights) -> Tensor:
    part = slice(index * experts.width, (index + 1) * experts.width)
    inner = F.silu(F.linear(x, experts.gate[part])) * F.linear(x, experts.up[part])
    return F.linear(inner, experts.down[:, part])
