"""Kernels run compiled on a CUDA GPU, and by Triton's interpreter anywhere else."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.triton_language import INSTALLED


@pytest.fixture
def device() -> torch.device:
    if not INSTALLED:
        pytest.skip("needs triton")
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture
def draw(device: torch.device) -> Draw:
    return Draw(device)


class Draw:
    """Random tensors that are the same on every device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._dice = torch.Generator().manual_seed(7)

    def __call__(self, *shape: int, scale: float = 1.0) -> torch.Tensor:
        return (torch.randn(*shape, generator=self._dice) * scale).to(self._device)
