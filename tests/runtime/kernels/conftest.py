"""Kernels run compiled on a CUDA GPU, and in Triton's interpreter without one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dsocr.runtime.kernels.experts import ExpertWeights
from dsocr.runtime.kernels.triton_compat import INSTALLED
from dsocr.runtime.layers.int8 import Int8Rows


@pytest.fixture
def device() -> torch.device:
    if not INSTALLED:
        pytest.skip("needs triton")
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture
def draw(device: torch.device) -> Draw:
    return Draw(device)


class Draw:
    """Random tensors, the same on every device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._generator = torch.Generator().manual_seed(7)

    def __call__(self, *shape: int, scale: float = 1.0) -> torch.Tensor:
        return (torch.randn(*shape, generator=self._generator) * scale).to(self.device)


def random_experts(
    draw: Draw,
    num_experts: int,
    num_chosen: int,
    *,
    normalize: bool = False,
    hidden: int = 48,
    width: int = 40,
) -> ExpertWeights:
    """With two shared experts; without experts to choose from one shared expert, a dense MLP."""
    shared = 2 if num_experts else 1
    up_scale, down_scale = hidden**-0.5, width**-0.5
    return ExpertWeights(
        gate=draw(shared * width, hidden, scale=up_scale),
        up=draw(shared * width, hidden, scale=up_scale),
        down=draw(hidden, shared * width, scale=down_scale),
        width=width,
        w13=draw(num_experts, 2 * width, hidden, scale=up_scale) if num_experts else None,
        w2=draw(num_experts, hidden, width, scale=down_scale) if num_experts else None,
        num_chosen=num_chosen,
        normalize=normalize,
        scale=1.5 if normalize else 1.0,
    )


def quantized(experts: ExpertWeights) -> ExpertWeights:
    """The experts to choose from in int8."""
    assert experts.w13 is not None and experts.w2 is not None
    (w13, scale13), (w2, scale2) = _quantized_rows(experts.w13), _quantized_rows(experts.w2)
    return replace(experts, w13=w13, scale13=scale13, w2=w2, scale2=scale2)


def _quantized_rows(weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows = Int8Rows(
        torch.empty_like(weights, dtype=torch.int8), weights.new_empty(weights.shape[:2])
    )
    rows.copy_(weights)
    return rows.values, rows.scales


def near(actual: torch.Tensor, expected: torch.Tensor, bound: float) -> None:
    """Asserts that the relative error (of the norms) is at most `bound`."""
    assert actual.shape == expected.shape
    assert ((actual - expected).norm() / expected.norm()).item() <= bound
