"""What the kernels for experts share: the weights as the model holds them, and the plain formula.

The shared experts are experts like the others, only that every token passes them and that their
weights lie elsewhere; a dense MLP is one shared expert and no others. Nothing is copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


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


def choose_experts(logits: Tensor, experts: ExpertWeights) -> tuple[Tensor, Tensor]:
    """Weights (B, K) float32 and experts (B, K) int32, best first, from scores (B, experts)."""
    weights, ids = logits.softmax(-1).topk(experts.num_chosen, dim=-1)
    if experts.normalize:
        weights = weights / weights.sum(-1, keepdim=True)
    return weights * experts.scale, ids.int()


def pass_experts(x: Tensor, weights: Tensor, ids: Tensor, experts: ExpertWeights) -> Tensor:
    """What every expert of a token says, weighed: (B, slots, hidden); the shared ones last."""
    said = torch.stack(
        [
            _one(row, float(weights[number, place]), int(ids[number, place]), experts)
            if place < experts.num_chosen
            else _shared(row, place - experts.num_chosen, experts)
            for number, row in enumerate(x)
            for place in range(experts.slots)
        ]
    )
    return said.view(len(x), experts.slots, -1)


def _one(row: Tensor, weight: float, expert: int, experts: ExpertWeights) -> Tensor:
    assert experts.w13 is not None and experts.w2 is not None
    gate, up = F.linear(row, experts.w13[expert]).chunk(2)
    said: Tensor = F.linear(F.silu(gate) * up, experts.w2[expert])
    return (said.float() * weight).to(row.dtype)


def _shared(row: Tensor, number: int, experts: ExpertWeights) -> Tensor:
    part = slice(number * experts.width, (number + 1) * experts.width)
    hidden = F.silu(F.linear(row, experts.gate[part])) * F.linear(row, experts.up[part])
    return F.linear(hidden, experts.down[:, part])
