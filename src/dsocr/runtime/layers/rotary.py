"""Rotary positions, half-split (spec 5): the first half of a head is rotated with the second."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Rotary(nn.Module):
    """Cosines and sines of all positions, computed once in float32 and stored in the dtype used."""

    def __init__(self, head_dim: int, *, max_positions: int, theta: float) -> None:
        super().__init__()
        self.head_dim, self.max_positions, self.theta = head_dim, max_positions, theta
        self._table: tuple[Tensor, Tensor] | None = None

    def forward(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """cos and sin of positions (T,), each (T, 1, head_dim), for any number of heads."""
        if self._table is None or self._table[0].dtype != dtype:
            self._table = self._make_table(positions.device, dtype)
        cos, sin = self._table
        return cos[positions].unsqueeze(1), sin[positions].unsqueeze(1)

    def _make_table(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        # on the CPU for every device: the same table everywhere, and mps has no float64
        exponents = torch.arange(0, self.head_dim, 2, dtype=torch.float32) / self.head_dim
        angles = torch.outer(torch.arange(self.max_positions).float(), 1.0 / self.theta**exponents)
        angles = torch.cat((angles, angles), dim=-1)  # (max_positions, head_dim)
        return angles.cos().to(device, dtype), angles.sin().to(device, dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (T, heads, head_dim) rotated by its token's position."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin
