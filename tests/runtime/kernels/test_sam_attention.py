"""The fused attention of SAM against the one that spells its bias out."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.sam_attention import attend_square, attend_square_fused
from tests.runtime.kernels.conftest import Draw

HEADS, DIM = 2, 16
SQUARES = [(8, 8), (18, 18), (20, 14), (9, 3), (34, 17), (32, 17)]
"""Side and window: one small, one large, windows that fit and that reach beyond the picture."""


def inputs(
    draw: Draw, side: int, window: int, *, images: int = 2, dim: int = DIM
) -> list[torch.Tensor]:
    width = HEADS * dim
    tables = [draw(2 * window - 1, dim, scale=0.3) for _ in range(2)]
    return [draw(images, side, side, 3 * width), draw(3 * width), *tables]


@pytest.mark.parametrize(("side", "window"), SQUARES)
def test_no_bias_is_lost_in_registers(draw: Draw, side: int, window: int) -> None:
    given = inputs(draw, side, window, images=1 if side > 10 else 2)
    plain = attend_square(*given, num_heads=HEADS, window=window, kind="eager")
    fused = attend_square_fused(*given, num_heads=HEADS, window=window)
    assert (fused - plain).abs().max().item() <= 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize(("side", "window"), [(64, 64), (40, 40), (80, 80), (64, 14), (40, 14)])
def test_sizes_of_the_released_model_stay_near_in_bfloat16(
    draw: Draw, side: int, window: int
) -> None:
    given = inputs(draw, side, window, images=1, dim=64)
    plain = attend_square(*given, num_heads=HEADS, window=window, kind="eager")
    rounded = [tensor.bfloat16() for tensor in given]
    fused = attend_square_fused(*rounded, num_heads=HEADS, window=window).float()
    assert ((fused - plain).norm() / plain.norm()).item() <= 0.01
