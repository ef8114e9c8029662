"""SAM's fused attention against the plain one, which materializes its bias."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.sam_attention import sam_attention, sam_attention_fused
from tests.runtime.kernels.conftest import Draw

HEADS, DIM = 2, 16
SQUARES = [
    *((8, 8), (18, 18), (10, 6), (9, 3)),
    *(pytest.param(*square, marks=pytest.mark.slow) for square in ((20, 14), (34, 17), (32, 17))),
]
"""Side and window: small and large, windows that divide the image and that extend beyond it."""


def inputs(
    draw: Draw, side: int, window: int, *, images: int = 2, dim: int = DIM
) -> list[torch.Tensor]:
    width = HEADS * dim
    tables = [draw(2 * window - 1, dim, scale=0.3) for _ in range(2)]
    return [draw(images, side, side, 3 * width), draw(3 * width), *tables]


@pytest.mark.parametrize(("side", "window"), SQUARES)
def test_fused_attention_adds_the_whole_bias(draw: Draw, side: int, window: int) -> None:
    arguments = inputs(draw, side, window, images=1 if side > 10 else 2)
    plain = sam_attention(*arguments, num_heads=HEADS, window=window, kind="eager")
    fused = sam_attention_fused(*arguments, num_heads=HEADS, window=window)
    assert (fused - plain).abs().max().item() <= 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize(("side", "window"), [(64, 64), (40, 40), (80, 80), (64, 14), (40, 14)])
def test_released_sizes_are_accurate_in_bfloat16(draw: Draw, side: int, window: int) -> None:
    arguments = inputs(draw, side, window, images=1, dim=64)
    plain = sam_attention(*arguments, num_heads=HEADS, window=window, kind="eager")
    rounded = [tensor.bfloat16() for tensor in arguments]
    fused = sam_attention_fused(*rounded, num_heads=HEADS, window=window).float()
    assert ((fused - plain).norm() / plain.norm()).item() <= 0.01
