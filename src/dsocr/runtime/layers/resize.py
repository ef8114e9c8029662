"""Learned position tables resized to other sizes, once per size (spec 2.1, 2.2)."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


class ResizedTable:
    """Cache of a table's resized forms. They are computed in float32 on the CPU: mps lacks the
    antialiased kernel, and all devices get the same numbers.

    Valid as long as the weights, which do not change once loaded.
    """

    def __init__(self, resize: Callable[[Tensor, int], Tensor]) -> None:
        self._resize = resize
        self._tables: dict[int, Tensor] = {}

    def __call__(self, weight: Tensor, size: int) -> Tensor:
        """The table for that size, in the weight's dtype and on its device."""
        if size not in self._tables:
            resized = self._resize(weight.detach().float().cpu(), size)
            self._tables[size] = resized.to(weight.device, weight.dtype)
        return self._tables[size]


def resize_grid(table: Tensor, side: int) -> Tensor:
    """(1, n, n, C) to (1, side, side, C): bicubic, antialiased, which matters below n."""
    if table.shape[1] == side:
        return table
    resized = F.interpolate(
        table.permute(0, 3, 1, 2), size=(side, side), mode="bicubic", antialias=True
    )
    return resized.permute(0, 2, 3, 1)


def resize_line(table: Tensor, length: int) -> Tensor:
    """(n, C) to (length, C): linear, without antialiasing."""
    if table.shape[0] == length:
        return table
    return F.interpolate(table.T.unsqueeze(0), size=length, mode="linear").squeeze(0).T
