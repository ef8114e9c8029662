"""One pass over memory against several."""

from __future__ import annotations

import pytest

from dsocr.runtime.kernels.elementwise import (
    add_norm,
    add_norm_fused,
    quick_gelu,
    quick_gelu_fused,
)
from tests.runtime.kernels.conftest import Draw


@pytest.mark.parametrize("shape", [(3, 5, 48), (1, 4096), (7, 100)])
def test_sum_and_norm_agree(draw: Draw, shape: tuple[int, ...]) -> None:
    x, change, weight, bias = draw(*shape), draw(*shape), draw(shape[-1]), draw(shape[-1])
    total, normed = add_norm(x, change, weight, bias, 1e-6)
    fused_total, fused_normed = add_norm_fused(x, change, weight, bias, 1e-6)
    assert fused_total.equal(total)
    assert (fused_normed - normed).abs().max().item() <= 1e-5


@pytest.mark.parametrize("count", [1, 2048, 5000])
def test_quick_gelu_agrees(draw: Draw, count: int) -> None:
    x = draw(count, scale=4)
    expected = quick_gelu(x)
    assert (quick_gelu_fused(x) - expected).abs().max().item() <= 1e-6
