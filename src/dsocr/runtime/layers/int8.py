"""Weights in int8: each row of a matrix with a float32 scale of its own, its largest number 127."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_LARGEST = 127


@dataclass(frozen=True, slots=True)
class Int8Rows:
    """Memory for a matrix, to be filled like a tensor's."""

    values: Tensor  # (outputs, inputs) int8
    scales: Tensor  # (outputs,) float32

    @property
    def shape(self) -> torch.Size:
        return self.values.shape

    @property
    def device(self) -> torch.device:
        return self.values.device

    def copy_(self, weight: Tensor) -> None:
        """Rounds a matrix of floats to these rows: off by half a scale at most."""
        wide = weight.to(self.device).float()
        scales = wide.abs().amax(-1) / _LARGEST
        # of a row of zeros any scale is right but zero, which divides
        scales = torch.where(scales == 0, 1.0, scales)
        self.scales.copy_(scales)
        self.values.copy_((wide / scales.unsqueeze(-1)).round())


Place = Tensor | Int8Rows
"""Memory for one of a checkpoint's tensors: has a shape and a device, is filled by `copy_`."""


def dequantized(values: Tensor, scales: Tensor | None, dtype: torch.dtype) -> Tensor:
    """The weights (..., outputs, inputs) that are meant; as they are where they have no scales."""
    if scales is None:
        return values
    # multiplied in float32 and rounded once, without a float32 copy
    weights = torch.empty(values.shape, dtype=dtype, device=values.device)
    return torch.mul(values, scales.unsqueeze(-1), out=weights)


def dequantized_one(
    stacked: Tensor, scales: Tensor | None, index: int, dtype: torch.dtype
) -> Tensor:
    """The same of one matrix of several (number, outputs, inputs)."""
    return dequantized(stacked[index], None if scales is None else scales[index], dtype)
