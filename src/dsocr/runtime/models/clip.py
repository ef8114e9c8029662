"""CLIP-L's transformer, with SAM's features in place of its own patch embeddings (spec 2.2).

There is no norm after the last layer, and the checkpoint's patch embedding is not used.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dsocr.runtime.config import AttentionName
from dsocr.runtime.kernels.elementwise import (
    add_layernorm,
    add_layernorm_fused,
    quick_gelu,
    quick_gelu_fused,
)
from dsocr.runtime.layers.attention import attend
from dsocr.runtime.layers.resize import ResizedTable, resize_grid
from dsocr.runtime.spec import ClipSpec

EPS = 1e-5


class Embeddings(nn.Module):
    """Prepends the class token and adds positions; their grid is resized to the features'."""

    def __init__(self, spec: ClipSpec) -> None:
        super().__init__()
        self.patch_grid = spec.patch_grid
        self.class_embedding = nn.Parameter(torch.empty(spec.width))
        self.position_embedding = nn.Embedding(1 + spec.patch_grid**2, spec.width)
        self.positions = ResizedTable(self._resize)

    def forward(self, features: Tensor) -> Tensor:
        batch, _, side, _ = features.shape  # (B, C, m, m)
        tokens = features.flatten(2).transpose(1, 2)  # (B, m*m, C), row by row
        first = self.class_embedding.expand(batch, 1, -1)
        return torch.cat((first, tokens), dim=1) + self.positions(
            self.position_embedding.weight, side
        )

    def _resize(self, table: Tensor, side: int) -> Tensor:
        grid = table[1:].view(1, self.patch_grid, self.patch_grid, -1)
        return torch.cat((table[:1], resize_grid(grid, side).flatten(0, 2)))


class Attention(nn.Module):
    def __init__(self, spec: ClipSpec, kind: AttentionName) -> None:
        super().__init__()
        self.num_heads, self.kind = spec.num_heads, kind
        self.qkv_proj = nn.Linear(spec.width, 3 * spec.width)
        self.out_proj = nn.Linear(spec.width, spec.width)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv_proj(x).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, T, head_dim) each
        return self.out_proj(attend(q, k, v, kind=self.kind).transpose(1, 2).flatten(-2))


class MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.fused = False

    def forward(self, x: Tensor) -> Tensor:
        activate = quick_gelu_fused if self.fused else quick_gelu
        return self.fc2(activate(self.fc1(x)))


class Layer(nn.Module):
    def __init__(self, spec: ClipSpec, kind: AttentionName) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(spec.width, eps=EPS)
        self.self_attn = Attention(spec, kind)
        self.layer_norm2 = nn.LayerNorm(spec.width, eps=EPS)
        self.mlp = MLP(spec.width)
        self.fused = False

    def forward(self, x: Tensor, change: Tensor | None) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, C) and the previous layer's output, which is still to be added; returns the
        same pair of this layer."""
        add = add_layernorm_fused if self.fused else add_layernorm
        x, normed = add(x, change, self.layer_norm1.weight, self.layer_norm1.bias, EPS)
        attended = self.self_attn(normed)
        x, normed = add(x, attended, self.layer_norm2.weight, self.layer_norm2.bias, EPS)
        return x, self.mlp(normed)


class Transformer(nn.Module):
    def __init__(self, spec: ClipSpec, kind: AttentionName) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(spec, kind) for _ in range(spec.num_layers))

    def forward(self, x: Tensor) -> Tensor:
        change = None
        for layer in self.layers:
            x, change = layer(x, change)
        assert change is not None, "CLIP has layers"
        return x + change


class Clip(nn.Module):
    """SAM's features (B, width, m, m) to tokens (B, 1 + m*m, width), the class token first."""

    def __init__(self, spec: ClipSpec, kind: AttentionName) -> None:
        super().__init__()
        self.embeddings = Embeddings(spec)
        self.pre_layrnorm = nn.LayerNorm(spec.width, eps=EPS)  # the checkpoint's spelling
        self.transformer = Transformer(spec, kind)

    def use_kernels(self) -> None:
        """Uses the fused kernels from now on."""
        for module in self.modules():
            if isinstance(module, MLP | Layer):
                module.fused = True

    def forward(self, features: Tensor) -> Tensor:
        return self.transformer(self.pre_layrnorm(self.embeddings(features)))
