"""Matrix-vector products of a single row against plain PyTorch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dsocr.runtime.kernels.experts import ExpertWeights
from dsocr.runtime.kernels.experts_gemv import experts_gemv, experts_gemv_fused
from dsocr.runtime.kernels.gemv import gemv, gemv_fused, norm_gemv, norm_gemv_fused
from tests.runtime.kernels.conftest import Draw, near, quantized, random_experts

EPS = 1e-6


@pytest.mark.parametrize(("hidden", "outputs"), [(64, 40), (80, 24), (1280, 9)])
@pytest.mark.parametrize("adds", [True, False])
def test_norm_is_applied_before_the_product(
    draw: Draw, hidden: int, outputs: int, adds: bool
) -> None:
    inputs = (draw(1, hidden), draw(1, hidden) if adds else None, draw(hidden), EPS)
    weight = draw(outputs, hidden, scale=hidden**-0.5)
    plain = norm_gemv(*inputs, weight, torch.float32)
    fused = norm_gemv_fused(*inputs, weight, torch.float32)
    assert fused[0].equal(plain[0])
    near(fused[1], plain[1], 1e-5)


def test_product_without_a_norm(draw: Draw) -> None:
    x, weight = draw(1, 96), draw(33, 96, scale=0.1)
    near(gemv_fused(x, weight), gemv(x, weight), 1e-5)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("num_experts", "num_chosen", "is_int8"),
    [(8, 3, False), (11, 2, False), (0, 0, False), (7, 3, True)],
)
def test_chosen_and_shared_experts_are_summed(
    draw: Draw, normalize: bool, num_experts: int, num_chosen: int, is_int8: bool
) -> None:
    experts = random_experts(draw, num_experts, num_chosen, normalize=normalize)
    experts = quantized(experts) if is_int8 else experts
    hidden = experts.down.shape[0]
    logits = draw(1, num_experts) if num_experts else None
    inputs = (draw(1, hidden), draw(1, hidden), draw(hidden), EPS, logits, experts)
    plain = experts_gemv(*inputs)
    fused = experts_gemv_fused(*inputs, up=(8, 4), down=(16, 4))
    assert fused[0].equal(plain[0])
    near(fused[1], plain[1], 1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("pdl", [False, True])
@pytest.mark.parametrize("is_int8", [False, True])
def test_released_sizes_are_accurate_in_bfloat16(draw: Draw, pdl: bool, is_int8: bool) -> None:
    experts = random_experts(draw, 64, 6, hidden=1280, width=896)
    experts = quantized(experts) if is_int8 else experts
    residual, delta, norm, logits = draw(1, 1280), draw(1, 1280), draw(1280), draw(1, 64)
    exact = experts_gemv(residual, delta, norm, EPS, logits, experts)[1]
    inputs = [tensor.bfloat16() for tensor in (residual, delta, norm)]
    fused = experts_gemv_fused(*inputs, EPS, logits, to_bfloat16(experts), pdl=pdl)[1]
    near(fused.float(), exact, 0.02)
    weight = draw(3840, 1280, scale=0.03)
    product = norm_gemv(residual, delta, norm, EPS, weight, torch.float32)[1]
    fused_product = norm_gemv_fused(*inputs, EPS, weight.bfloat16(), torch.bfloat16, pdl=pdl)[1]
    near(fused_product.float(), product, 0.02)


def to_bfloat16(experts: ExpertWeights) -> ExpertWeights:
    """In bfloat16, except for int8 weights."""
    assert experts.w13 is not None and experts.w2 is not None
    is_int8 = experts.scale13 is not None
    return replace(
        experts,
        gate=experts.gate.bfloat16(),
        up=experts.up.bfloat16(),
        down=experts.down.bfloat16(),
        w13=experts.w13 if is_int8 else experts.w13.bfloat16(),
        w2=experts.w2 if is_int8 else experts.w2.bfloat16(),
    )
