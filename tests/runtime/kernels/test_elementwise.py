"""Elementwise kernels of the vision towers against plain PyTorch."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.elementwise import (
    add_layernorm,
    add_layernorm_fused,
    linear_gelu,
    linear_gelu_fused,
    normalize,
    normalize_fused,
    quick_gelu,
    quick_gelu_fused,
    rotate_heads_fused,
)
from dsocr.runtime.layers.rotary import Rotary, rotate
from tests.runtime.kernels.conftest import Draw


@pytest.mark.parametrize("adds", [True, False])
@pytest.mark.parametrize("shape", [(3, 5, 48), (1, 4096), (7, 100)])
def test_sum_and_layernorm_are_equal_to_plain(
    draw: Draw, shape: tuple[int, ...], adds: bool
) -> None:
    x, weight, bias = draw(*shape), draw(shape[-1]), draw(shape[-1])
    delta = draw(*shape) if adds else None
    total, normed = add_layernorm(x, delta, weight, bias, 1e-6)
    fused_total, fused_normed = add_layernorm_fused(x, delta, weight, bias, 1e-6)
    assert fused_total.equal(total)
    assert (fused_normed - normed).abs().max().item() <= 1e-5


@pytest.mark.parametrize("count", [1, 2048, 5000])
def test_quick_gelu_is_equal_to_plain(draw: Draw, count: int) -> None:
    x = draw(count, scale=4)
    expected = quick_gelu(x)
    assert (quick_gelu_fused(x) - expected).abs().max().item() <= 1e-6


@pytest.mark.parametrize("count", [3, 4])
def test_the_first_heads_are_rotated_as_plainly_and_the_others_stay(draw: Draw, count: int) -> None:
    heads = draw(2, 5, 4, 16)
    rotation = Rotary(16, max_positions=9, theta=100.0)(
        torch.arange(5, device=draw.device), heads.dtype
    )
    expected = torch.cat((rotate(heads[:, :, :count], *rotation), heads[:, :, count:]), dim=2)
    rotated = rotate_heads_fused(heads.clone(), *rotation, count=count)
    assert (rotated - expected).abs().max().item() <= 1e-6
    assert rotated[:, :, count:].equal(heads[:, :, count:])


def test_normalized_pixels_are_equal_to_plain(draw: Draw) -> None:
    views = torch.arange(2 * 33 * 33 * 3, device=draw.device).to(torch.uint8).view(2, 33, 33, 3)
    expected = normalize(views, torch.float32)
    # torch on a GPU multiplies by the inverse of 255
    assert (normalize_fused(views, torch.float32) - expected).abs().max().item() <= 3e-7


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gelu_of_a_linear_layer_is_within_rounding(draw: Draw, dtype: torch.dtype) -> None:
    """Within one unit in the last place of the largest value; rounding alone is half of that. The
    CPU computes GELU by erf, the GPU by tanh."""
    x, weight, bias = draw(3, 5, 48), draw(64, 48, scale=0.3), draw(64)
    exact = linear_gelu(x, weight, bias)
    fused = linear_gelu_fused(x.to(dtype), weight.to(dtype), bias.to(dtype))
    assert fused.shape == exact.shape
    bound = 1e-5 if dtype == torch.float32 else torch.finfo(dtype).eps * exact.abs().max().item()
    assert (fused.float() - exact).abs().max().item() <= bound
