"""SAM's ViT trunk, its neck and two stride-2 convolutions (spec 2.1): pixels to a 1/64 grid.

Not configurable (spec 1.1): patches of 16, windows of 14, a neck of 256 channels, MLPs of four
times the width, position tables learned for a 64 x 64 grid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dsocr.runtime.config import AttentionName
from dsocr.runtime.kernels.elementwise import (
    add_layernorm,
    add_layernorm_fused,
    linear_gelu,
    linear_gelu_fused,
)
from dsocr.runtime.kernels.sam_attention import sam_attention, sam_attention_fused
from dsocr.runtime.layers.norm import ChannelNorm
from dsocr.runtime.layers.resize import ResizedTable, resize_grid, resize_line
from dsocr.runtime.spec import SAM_PATCH, SamSpec

WINDOW, TRAINED_GRID, NECK = 14, 64, 256
EPS = 1e-6


class Attention(nn.Module):
    """Attention over a square of tokens with learned relative positions of rows and columns."""

    def __init__(self, spec: SamSpec, side: int, kind: AttentionName) -> None:
        super().__init__()
        self.num_heads, self.kind = spec.num_heads, kind
        self.fused = False
        self.qkv = nn.Linear(spec.width, 3 * spec.width)
        self.proj = nn.Linear(spec.width, spec.width)
        self.rel_pos_h = nn.Parameter(torch.empty(2 * side - 1, spec.head_dim))
        self.rel_pos_w = nn.Parameter(torch.empty(2 * side - 1, spec.head_dim))
        self.rows, self.columns = ResizedTable(resize_line), ResizedTable(resize_line)

    def forward(self, x: Tensor, window: int) -> Tensor:
        """x (B, S, S, C), within windows of that side. Tokens that pad the last windows are zero
        before `qkv` (spec 2.1)."""
        distances = 2 * window - 1
        rel_h = self.rows(self.rel_pos_h, distances)
        rel_w = self.columns(self.rel_pos_w, distances)
        pairs = (self.qkv(x), self.qkv.bias, rel_h, rel_w)
        if self.fused:
            x = sam_attention_fused(*pairs, num_heads=self.num_heads, window=window)
        else:
            x = sam_attention(*pairs, num_heads=self.num_heads, window=window, kind=self.kind)
        return self.proj(x)


class MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, 4 * width)
        self.lin2 = nn.Linear(4 * width, width)
        self.fused = False

    def forward(self, x: Tensor) -> Tensor:
        activated = linear_gelu_fused if self.fused else linear_gelu
        return self.lin2(activated(x, self.lin1.weight, self.lin1.bias))


class SamBlock(nn.Module):
    def __init__(self, spec: SamSpec, *, is_global: bool, kind: AttentionName) -> None:
        super().__init__()
        self.is_global, self.fused = is_global, False
        self.norm1 = nn.LayerNorm(spec.width, eps=EPS)
        self.attn = Attention(spec, TRAINED_GRID if is_global else WINDOW, kind)
        self.norm2 = nn.LayerNorm(spec.width, eps=EPS)
        self.mlp = MLP(spec.width)

    def forward(self, x: Tensor, change: Tensor | None) -> tuple[Tensor, Tensor]:
        """Tokens (B, S, S, C) and the previous block's output, which is still to be added; returns
        the same pair of this block."""
        add = add_layernorm_fused if self.fused else add_layernorm
        x, normed = add(x, change, self.norm1.weight, self.norm1.bias, EPS)
        attended = self.attn(normed, x.shape[1] if self.is_global else WINDOW)
        x, normed = add(x, attended, self.norm2.weight, self.norm2.bias, EPS)
        return x, self.mlp(normed)


class PatchEmbed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=SAM_PATCH, stride=SAM_PATCH)

    def forward(self, pixels: Tensor) -> Tensor:
        # as one matrix product: the convolution is slow for patches that do not overlap
        patches = pixels.unflatten(3, (-1, SAM_PATCH)).unflatten(2, (-1, SAM_PATCH))
        patches = patches.permute(0, 2, 4, 1, 3, 5).flatten(3)  # (B, n, n, 3 * 16 * 16)
        return F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)  # (B, n, n, width)


class Sam(nn.Module):
    """Normalised pixels (B, 3, S, S) to features (B, net_3 channels, S/64, S/64)."""

    def __init__(self, spec: SamSpec, kind: AttentionName) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(spec.width)
        self.pos_embed = nn.Parameter(torch.empty(1, TRAINED_GRID, TRAINED_GRID, spec.width))
        self.positions = ResizedTable(resize_grid)
        self.blocks = nn.ModuleList(
            SamBlock(spec, is_global=layer in spec.global_layers, kind=kind)
            for layer in range(spec.num_layers)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(spec.width, NECK, kernel_size=1, bias=False),
            ChannelNorm(NECK, EPS),
            nn.Conv2d(NECK, NECK, kernel_size=3, padding=1, bias=False),
            ChannelNorm(NECK, EPS),
        )
        self.net_2 = _stride_2(NECK, spec.net_2_channels)
        self.net_3 = _stride_2(spec.net_2_channels, spec.net_3_channels)

    def use_kernels(self) -> None:
        """Uses the fused kernels from now on. Lays convolution weights out channels last."""
        for module in self.modules():
            if isinstance(module, Attention | SamBlock | MLP):
                module.fused = True
            elif isinstance(module, nn.Conv2d):
                module.weight.data = module.weight.data.to(memory_format=torch.channels_last)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.patch_embed(pixels)
        x = x + self.positions(self.pos_embed, x.shape[1])
        change = None
        for block in self.blocks:
            x, change = block(x, change)
        x = x + change
        return self.net_3(self.net_2(self.neck(x.permute(0, 3, 1, 2))))


def _stride_2(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=2, padding=1, bias=False)
