"""The causal-flow encoder of DeepSeek-OCR-2 (spec 10.2): SAM's features, then as many learned
queries, through a transformer whose image tokens see one another and whose queries see all image
tokens and the queries up to themselves. Only the queries' rows are kept.

Not configurable: RMSNorm with eps 1e-6, rotary positions with theta 1,000,000, one table of queries
for views of 768 pixels and one for 1024.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dsocr.runtime.config import AttentionName
from dsocr.runtime.kernels.add_rmsnorm import add_rmsnorm_fused, silu_mul, silu_mul_fused
from dsocr.runtime.kernels.elementwise import rotate_heads_fused
from dsocr.runtime.layers.attention import attend_grouped
from dsocr.runtime.layers.norm import RMSNorm
from dsocr.runtime.layers.rotary import Rotary, rotate
from dsocr.runtime.spec import CausalFlowSpec

EPS, THETA = 1e-6, 1_000_000.0
QUERIES = {12: "query_768", 16: "query_1024"}
"""Features along a side of a view -> its table of queries."""
SIDES = (768, 1024)
"""Sides of views in pixels."""


class Attention(nn.Module):
    """Grouped-query attention in two calls (spec 10.2): image rows on the image keys without a
    mask, query rows on all keys with a causal mask that ends at the last key."""

    def __init__(self, spec: CausalFlowSpec, kind: AttentionName) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads, self.kind = spec.num_heads, spec.num_kv_heads, kind
        self.fused = False
        rows = (spec.num_heads + 2 * spec.num_kv_heads) * spec.head_dim
        self.qkv_weight = nn.Parameter(torch.empty(rows, spec.width))
        self.qkv_bias = nn.Parameter(torch.empty(rows))
        self.o_proj = nn.Linear(spec.width, spec.width, bias=False)

    def checkpoint_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """The checkpoint's names and the rows of the joined weights that they fill."""
        heads = (self.num_heads, self.num_kv_heads, self.num_kv_heads)
        head_dim = len(self.qkv_bias) // sum(heads)
        rows = [count * head_dim for count in heads]
        for what, joined in (("weight", self.qkv_weight), ("bias", self.qkv_bias)):
            for name, part in zip("qkv", joined.split(rows), strict=True):
                yield f"{name}_proj.{what}", part

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """x (B, 2N, C), N image tokens and N queries; `rotation` is of their positions."""
        groups = self.num_kv_heads
        total = self.num_heads + 2 * groups
        heads = F.linear(x, self.qkv_weight, self.qkv_bias).unflatten(-1, (total, -1))
        if self.fused:
            rotated = rotate_heads_fused(heads, *rotation, count=total - groups)[:, :, :-groups]
        else:
            rotated = rotate(heads[:, :, :-groups], *rotation)
        q, k = rotated.transpose(1, 2).split((self.num_heads, groups), dim=1)  # (B, heads, 2N, D)
        v = heads[:, :, -groups:].transpose(1, 2)
        n = x.shape[1] // 2
        image = attend_grouped(q[:, :, :n], k[:, :, :n], v[:, :, :n], kind=self.kind, causal=False)
        query = attend_grouped(q[:, :, n:], k, v, kind=self.kind, causal=True)
        attended = torch.cat((image.transpose(1, 2), query.transpose(1, 2)), dim=1)
        return self.o_proj(attended.flatten(-2))


class MLP(nn.Module):
    """down(silu(gate(x)) * up(x)), gate and up in one product."""

    def __init__(self, spec: CausalFlowSpec) -> None:
        super().__init__()
        self.gate_up_weight = nn.Parameter(torch.empty(2 * spec.mlp_width, spec.width))
        self.down_proj = nn.Linear(spec.mlp_width, spec.width, bias=False)
        self.fused = False

    def checkpoint_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """The checkpoint's names and the rows of the joined weights that they fill."""
        for name, part in zip(("gate", "up"), self.gate_up_weight.chunk(2), strict=True):
            yield f"{name}_proj.weight", part

    def forward(self, x: Tensor) -> Tensor:
        gate_up = F.linear(x, self.gate_up_weight)
        if self.fused:
            activated = silu_mul_fused(gate_up.flatten(0, -2)).unflatten(0, x.shape[:-1])
        else:
            activated = silu_mul(gate_up)
        return self.down_proj(activated)


class Norm(RMSNorm):
    """RMSNorm of a sum, which it returns too."""

    def __init__(self, width: int) -> None:
        super().__init__(width, EPS)
        self.fused = False

    def forward(self, x: Tensor, change: Tensor | None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """x + change, and its norm, both (B, T, C)."""
        if not self.fused:
            total = x if change is None else x + change
            return total, super().forward(total)
        deltas = None if change is None else change.flatten(0, -2).unsqueeze(1)
        pair = add_rmsnorm_fused(x.flatten(0, -2), deltas, self.weight, self.eps)
        total, normed = (rows.view(x.shape) for rows in pair)
        return total, normed


class Layer(nn.Module):
    def __init__(self, spec: CausalFlowSpec, kind: AttentionName) -> None:
        super().__init__()
        self.input_layernorm = Norm(spec.width)
        self.self_attn = Attention(spec, kind)
        self.post_attention_layernorm = Norm(spec.width)
        self.mlp = MLP(spec)

    def forward(
        self, x: Tensor, change: Tensor | None, rotation: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, C) and the previous layer's output, which is still to be added; returns the
        same pair of this layer."""
        x, normed = self.input_layernorm(x, change)
        x, normed = self.post_attention_layernorm(x, self.self_attn(normed, rotation))
        return x, self.mlp(normed)


class Transformer(nn.Module):
    def __init__(self, spec: CausalFlowSpec, kind: AttentionName) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(spec, kind) for _ in range(spec.num_layers))
        self.norm = Norm(spec.width)
        self.rotary = Rotary(
            spec.head_dim, max_positions=2 * max(side**2 for side in QUERIES), theta=THETA
        )

    def forward(self, x: Tensor) -> Tensor:
        """Image tokens and queries (B, 2N, C), after the final norm."""
        rotation = self.rotary(torch.arange(x.shape[1], device=x.device), x.dtype)
        change = None
        for layer in self.layers:
            x, change = layer(x, change, rotation)
        normed: Tensor = self.norm(x, change)[1]
        return normed


class CausalFlow(nn.Module):
    """SAM's features (B, width, m, m) to the queries' rows (B, m*m, width), in query order."""

    def __init__(self, spec: CausalFlowSpec, kind: AttentionName) -> None:
        super().__init__()
        # twice, as in the checkpoint's names
        self.model = nn.ModuleDict({"model": Transformer(spec, kind)})
        for side, name in QUERIES.items():
            setattr(self, name, nn.Embedding(side**2, spec.width))

    @property
    def transformer(self) -> Transformer:
        inner = self.model["model"]
        assert isinstance(inner, Transformer)
        return inner

    def use_kernels(self) -> None:
        """Uses the fused kernels from now on."""
        for module in self.modules():
            if isinstance(module, Attention | Norm | MLP):
                module.fused = True

    def forward(self, features: Tensor) -> Tensor:
        """Raises `ValueError` for a side without queries."""
        batch, _, side, _ = features.shape
        if side not in QUERIES:
            raise ValueError(f"views of {64 * side} pixels have no queries, only those of {SIDES}")
        queries = getattr(self, QUERIES[side]).weight.expand(batch, -1, -1)
        tokens = torch.cat((features.flatten(2).transpose(1, 2), queries), dim=1)
        normed: Tensor = self.transformer(tokens)
        return normed[:, side * side :]
