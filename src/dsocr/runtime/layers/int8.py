"""Weights in int8 with one float32 scale per row of a matrix; the largest value of a row is 127."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_LARGEST = 127


@dataclass(frozen=True, slots=True)
class Int8Rows:
    """Memory for a matrix; filled by `copy_` as a tensor is."""

    values: Tensor  # (outputs, inputs) int8
    scales: Tensor  # (outputs,) float32

    @property
    def shape(self) -> torch.Size:
        return self.values.shape

    @property
    def device(self) -> torch.device:
        return self.values.device

    def copy_(self, weight: Tensor) -> None:
        """Quantizes a matrix of floats; each value is off by at most half its row's scale."""
        wide = weight.to(self.device).float()
        scales = wide.abs().amax(-1) / _LARGEST
        # any scale but 0, which is a divisor, is right for a row of zeros
        scales = torch.where(scales == 0, 1.0, scales)
        self.scales.copy_(scales)
        self.values.copy_((wide / scales.unsqueeze(-1)).round())


Destination = Tensor | Int8Rows
"""Memory for one tensor of a checkpoint: has a shape and a device and is filled by `copy_`."""


def dequantized(values: Tensor, scales: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Weights (..., outputs, inputs) in dtype; unchanged if there are no scales."""
    if scales is None:
        return values
    # multiplied in float32 and rounded once, without a float32 copy of the matrix
    weights = torch.empty(values.shape, dtype=dtype, device=values.device)
    return torch.mul(values, scales.unsqueeze(-1), out=weights)


def dequantized_one(
    stacked: Tensor, scales: Tensor | None, index: int, dtype: torch.dtype
) -> Tensor:
    """`dequantized` of matrix `index` of `stacked` (number, outputs, inputs)."""
    return dequantized(stacked[index], None if scales is None else scales[index], dtype)
