"""SAM's ViT trunk with its neck and two stride-2 convolutions (spec 2.1): pixels to a 1/64 grid.

Sides that no checkpoint changes: patches of 16, windows of 14, a neck of 256 channels, MLPs of four
times the width, position tables learned for a 64 x 64 grid (spec 11).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dsocr.runtime.checkpoint import SamSpec
from dsocr.runtime.config import AttentionName
from dsocr.runtime.layers.attention import attend
from dsocr.runtime.layers.norm import ChannelNorm
from dsocr.runtime.layers.resize import ResizedTable, resize_grid, resize_line

PATCH, WINDOW, TRAINED_GRID, NECK = 16, 14, 64, 256
EPS = 1e-6


class Attention(nn.Module):
    """Attention over a square of tokens, with learned relative rows and columns."""

    def __init__(self, spec: SamSpec, side: int, kind: AttentionName) -> None:
        super().__init__()
        self.num_heads, self.kind = spec.num_heads, kind
        self.qkv = nn.Linear(spec.width, 3 * spec.width)
        self.proj = nn.Linear(spec.width, spec.width)
        self.rel_pos_h = nn.Parameter(torch.empty(2 * side - 1, spec.head_dim))
        self.rel_pos_w = nn.Parameter(torch.empty(2 * side - 1, spec.head_dim))
        self.rows, self.columns = ResizedTable(resize_line), ResizedTable(resize_line)

    def forward(self, x: Tensor) -> Tensor:
        batch, side, _, width = x.shape  # (B, L, L, C)
        qkv = self.qkv(x).view(batch, side * side, 3, self.num_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, L*L, head_dim) each
        bias = self._relative_positions(q, side)
        x = attend(q, k, v, kind=self.kind, bias=bias)
        return self.proj(x.transpose(1, 2).reshape(batch, side, side, width))

    def _relative_positions(self, q: Tensor, side: int) -> Tensor:
        """q · Rh[row of q, row of k] + q · Rw[column, column], with q unscaled."""
        rel_h = _by_distance(self.rows(self.rel_pos_h, 2 * side - 1), side)  # (L, L, head_dim)
        rel_w = _by_distance(self.columns(self.rel_pos_w, 2 * side - 1), side)
        q = q.unflatten(2, (side, side))  # (B, heads, rows, columns, head_dim)
        from_rows = torch.einsum("bnhwc,hkc->bnhwk", q, rel_h)
        from_columns = torch.einsum("bnhwc,wkc->bnhwk", q, rel_w)
        bias = from_rows.unsqueeze(-1) + from_columns.unsqueeze(-2)  # (B, heads, h, w, L, L)
        return bias.flatten(4, 5).flatten(2, 3)  # (B, heads, L*L, L*L)


class MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, 4 * width)
        self.lin2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin2(F.gelu(self.lin1(x)))


class Block(nn.Module):
    def __init__(self, spec: SamSpec, *, is_global: bool, kind: AttentionName) -> None:
        super().__init__()
        self.is_global = is_global
        self.norm1 = nn.LayerNorm(spec.width, eps=EPS)
        self.attn = Attention(spec, TRAINED_GRID if is_global else WINDOW, kind)
        self.norm2 = nn.LayerNorm(spec.width, eps=EPS)
        self.mlp = MLP(spec.width)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + (self.attn(normed) if self.is_global else self._attend_in_windows(normed))
        return x + self.mlp(self.norm2(x))

    def _attend_in_windows(self, x: Tensor) -> Tensor:
        """The padding takes part unmasked, as zeros before the qkv bias: upstream does so."""
        batch, side, _, width = x.shape
        pad = -side % WINDOW
        count = (side + pad) // WINDOW
        x = F.pad(x, (0, 0, 0, pad, 0, pad)).view(batch, count, WINDOW, count, WINDOW, width)
        x = self.attn(x.transpose(2, 3).reshape(-1, WINDOW, WINDOW, width))
        x = x.view(batch, count, count, WINDOW, WINDOW, width).transpose(2, 3)
        return x.reshape(batch, side + pad, side + pad, width)[:, :side, :side]


class PatchEmbed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=PATCH, stride=PATCH)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.proj(pixels).permute(0, 2, 3, 1)  # (B, n, n, width)


class Sam(nn.Module):
    """Normalised pixels (B, 3, S, S) to features (B, net_3 channels, S/64, S/64)."""

    def __init__(self, spec: SamSpec, kind: AttentionName) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(spec.width)
        self.pos_embed = nn.Parameter(torch.empty(1, TRAINED_GRID, TRAINED_GRID, spec.width))
        self.positions = ResizedTable(resize_grid)
        self.blocks = nn.ModuleList(
            Block(spec, is_global=layer in spec.global_layers, kind=kind)
            for layer in range(spec.num_layers)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(spec.width, NECK, kernel_size=1, bias=False),
            ChannelNorm(NECK, EPS),
            nn.Conv2d(NECK, NECK, kernel_size=3, padding=1, bias=False),
            ChannelNorm(NECK, EPS),
        )
        self.net_2 = _halving(NECK, spec.net_2_channels)
        self.net_3 = _halving(spec.net_2_channels, spec.net_3_channels)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.patch_embed(pixels)
        x = x + self.positions(self.pos_embed, x.shape[1])
        for block in self.blocks:
            x = block(x)
        return self.net_3(self.net_2(self.neck(x.permute(0, 3, 1, 2))))


def _halving(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=2, padding=1, bias=False)


def _by_distance(table: Tensor, side: int) -> Tensor:
    """(2 * side - 1, C) to (side, side, C): entry [a, b] is row a - b + side - 1."""
    index = torch.arange(side, device=table.device)
    return table[index[:, None] - index[None, :] + side - 1]
