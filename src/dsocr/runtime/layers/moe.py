"""Routed experts (spec 5): a float32 router, the top experts of each token, their weighted sum.

Tokens are sorted by expert once, so that every expert is one matrix product over its tokens:
`grouped` computes all of them in one kernel without synchronization; `looped` iterates over the
experts that have tokens, and runs everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dsocr.runtime.layers.int8 import Destination, Int8Rows, dequantized, dequantized_one
from dsocr.runtime.spec import DecoderSpec

ExpertsName = Literal["grouped", "looped"]


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)): the dense MLP and the shared experts (spec 5)."""

    def __init__(self, hidden_size: int, width: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden_size, width, bias=False)
        self.up_proj = nn.Linear(hidden_size, width, bias=False)
        self.down_proj = nn.Linear(width, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Router(nn.Module):
    """Selects each token's experts and their weights. All in float32 (spec 9)."""

    def __init__(self, spec: DecoderSpec) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(spec.num_experts, spec.hidden_size))
        self.num_chosen = spec.num_experts_per_token
        self.normalize = spec.normalize_weights
        self.scale = spec.routed_scale

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (T, K) float32 and experts (T, K), best first."""
        probabilities = F.linear(x.float(), self.weight.float()).softmax(-1)
        weights, experts = probabilities.topk(self.num_chosen, dim=-1)
        if self.normalize:
            weights = weights / weights.sum(-1, keepdim=True)
        return weights * self.scale, experts


class Experts(nn.Module):
    """All experts of a layer, stacked (spec 1.2): w13 holds gate above up, w2 holds down. The
    scales of the rows are None unless the weights are int8."""

    scale13: Tensor | None  # (experts, 2 * width)
    scale2: Tensor | None  # (experts, hidden)

    def __init__(self, spec: DecoderSpec) -> None:
        super().__init__()
        num_experts, hidden, width = spec.num_experts, spec.hidden_size, spec.expert_width
        self.w13 = nn.Parameter(torch.empty(num_experts, 2 * width, hidden))
        self.w2 = nn.Parameter(torch.empty(num_experts, hidden, width))
        self.register_buffer("scale13", None)
        self.register_buffer("scale2", None)
        self.kind: ExpertsName = "looped"

    def use_int8(self) -> None:
        """Replaces the weights, which must not be filled yet, by int8 ones with scales."""
        self.w13, self.scale13 = _int8_like(self.w13)
        self.w2, self.scale2 = _int8_like(self.w2)

    def checkpoint_tensors(self) -> Iterator[tuple[str, Destination]]:
        """The checkpoint's names (spec 1.2) and the slices of the stacked weights they fill."""
        for index in range(self.w13.shape[0]):
            weights = (*self.w13[index].chunk(2), self.w2[index])
            destinations: Iterable[Destination] = weights
            if self.scale13 is not None and self.scale2 is not None:
                scales = (*self.scale13[index].chunk(2), self.scale2[index])
                destinations = map(Int8Rows, weights, scales)
            for name, destination in zip(("gate", "up", "down"), destinations, strict=True):
                yield f"{index}.{name}_proj.weight", destination

    def forward(self, x: Tensor, weights: Tensor, experts: Tensor) -> Tensor:
        """x (T, hidden) through each token's K experts; the weighted sum is taken in float32."""
        num_tokens, num_chosen = experts.shape
        order = experts.flatten().argsort(stable=True)  # (T * K,) slots, by expert
        counts = F.one_hot(experts.flatten(), self.w13.shape[0]).sum(0)
        rows = x[order // num_chosen]
        expert_out = self._grouped if self.kind == "grouped" else self._looped
        outputs = torch.empty_like(rows)
        outputs[order] = expert_out(rows, counts)
        outputs = outputs.view(num_tokens, num_chosen, -1).float()
        return (outputs * weights.unsqueeze(-1)).sum(1).to(x.dtype)

    def _grouped(self, rows: Tensor, counts: Tensor) -> Tensor:
        ends = counts.cumsum(0, dtype=torch.int32)
        w13 = dequantized(self.w13, self.scale13, rows.dtype).transpose(1, 2)
        gate, up = F.grouped_mm(rows, w13, offs=ends).chunk(2, dim=-1)
        w2 = dequantized(self.w2, self.scale2, rows.dtype).transpose(1, 2)
        return F.grouped_mm(F.silu(gate) * up, w2, offs=ends)

    def _looped(self, rows: Tensor, counts: Tensor) -> Tensor:
        parts = []
        for index, part in enumerate(rows.split(counts.tolist())):  # the one sync of this path
            if len(part):
                w13 = dequantized_one(self.w13, self.scale13, index, rows.dtype)
                gate, up = F.linear(part, w13).chunk(2, dim=-1)
                w2 = dequantized_one(self.w2, self.scale2, index, rows.dtype)
                parts.append(F.linear(F.silu(gate) * up, w2))
        return torch.cat(parts)


def _int8_like(weight: Tensor) -> tuple[nn.Parameter, Tensor]:
    values = torch.empty(weight.shape, dtype=torch.int8, device=weight.device)
    scales = torch.empty(weight.shape[:-1], dtype=torch.float32, device=weight.device)
    return nn.Parameter(values, requires_grad=False), scales


class MoE(nn.Module):
    """The routed experts plus the shared ones, which get every token with weight 1 (spec 5)."""

    def __init__(self, spec: DecoderSpec) -> None:
        super().__init__()
        self.gate = Router(spec)
        self.experts = Experts(spec)
        self.shared_experts = SwiGLU(spec.hidden_size, spec.shared_width)

    def forward(self, x: Tensor) -> Tensor:
        weights, experts = self.gate(x)
        return self.experts(x, weights, experts) + self.shared_experts(x)


def usable_experts(*, device: torch.device, dtype: torch.dtype) -> ExpertsName:
    """`grouped` where PyTorch has a kernel for it (bfloat16 on a CUDA GPU), else `looped`."""
    has_kernel = hasattr(F, "grouped_mm") and device.type == "cuda" and dtype == torch.bfloat16
    return "grouped" if has_kernel else "looped"
