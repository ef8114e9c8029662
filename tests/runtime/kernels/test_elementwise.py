"""One pass over memory against several."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.elementwise import (
    add_norm,
    add_norm_fused,
    linear_gelu,
    linear_gelu_fused,
    normalize,
    normalize_fused,
    quick_gelu,
    quick_gelu_fused,
)
from tests.runtime.kernels.conftest import Draw


@pytest.mark.parametrize("changes", [True, False])
@pytest.mark.parametrize("shape", [(3, 5, 48), (1, 4096), (7, 100)])
def test_sum_and_norm_agree(draw: Draw, shape: tuple[int, ...], changes: bool) -> None:
    x, weight, bias = draw(*shape), draw(shape[-1]), draw(shape[-1])
    change = draw(*shape) if changes else None
    total, normed = add_norm(x, change, weight, bias, 1e-6)
    fused_total, fused_normed = add_norm_fused(x, change, weight, bias, 1e-6)
    assert fused_total.equal(total)
    assert (fused_normed - normed).abs().max().item() <= 1e-5


@pytest.mark.parametrize("count", [1, 2048, 5000])
def test_quick_gelu_agrees(draw: Draw, count: int) -> None:
    x = draw(count, scale=4)
    expected = quick_gelu(x)
    assert (quick_gelu_fused(x) - expected).abs().max().item() <= 1e-6


def test_normalized_pixels_agree(draw: Draw) -> None:
    views = torch.arange(2 * 33 * 33 * 3, device=draw.device).to(torch.uint8).view(2, 33, 33, 3)
    expected = normalize(views, torch.float32)
    # a GPU divides by 255 as it multiplies by its inverse
    assert (normalize_fused(views, torch.float32) - expected).abs().max().item() <= 3e-7


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gelu_of_a_product_agrees(draw: Draw, dtype: torch.dtype) -> None:
    """Within one step of the largest value; rounding alone is half of that. On a CPU this is erf's
    form, on a GPU tanh's."""
    x, weight, bias = draw(3, 5, 48), draw(64, 48, scale=0.3), draw(64)
    exact = linear_gelu(x, weight, bias)
    ours = linear_gelu_fused(x.to(dtype), weight.to(dtype), bias.to(dtype))
    assert ours.shape == exact.shape
    bound = 1e-5 if dtype == torch.float32 else torch.finfo(dtype).eps * exact.abs().max().item()
    assert (ours.float() - exact).abs().max().item() <= bound
