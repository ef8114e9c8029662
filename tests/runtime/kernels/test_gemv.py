"""A vector alone, walked through a layer's matrices."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dsocr.runtime.kernels.experts import ExpertWeights
from dsocr.runtime.kernels.experts_gemv import experts_gemv, experts_gemv_fused
from dsocr.runtime.kernels.gemv import (
    gemv,
    gemv_fused,
    norm_gemv,
    norm_gemv_fused,
)
from tests.runtime.kernels.conftest import Draw, drawn_experts, in_int8, near

EPS = 1e-6


@pytest.mark.parametrize(("hidden", "outputs"), [(64, 40), (80, 24), (1280, 9)])
@pytest.mark.parametrize("changes", [True, False])
def test_a_norm_is_taken_on_the_way_into_a_product(
    draw: Draw, hidden: int, outputs: int, changes: bool
) -> None:
    given = (draw(1, hidden), draw(1, hidden) if changes else None, draw(hidden), EPS)
    weight = draw(outputs, hidden, scale=hidden**-0.5)
    plain = norm_gemv(*given, weight, torch.float32)
    fused = norm_gemv_fused(*given, weight, torch.float32)
    assert fused[0].equal(plain[0])
    near(fused[1], plain[1], 1e-5)


def test_a_product_alone_takes_no_norm(draw: Draw) -> None:
    x, weight = draw(1, 96), draw(33, 96, scale=0.1)
    near(gemv_fused(x, weight), gemv(x, weight), 1e-5)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("num_experts", "num_chosen", "rounds"),
    [(8, 3, False), (11, 2, False), (0, 0, False), (7, 3, True)],
)
def test_a_token_passes_the_experts_it_chose_and_those_all_share(
    draw: Draw, normalize: bool, num_experts: int, num_chosen: int, rounds: bool
) -> None:
    experts = drawn_experts(draw, num_experts, num_chosen, normalize=normalize)
    experts = in_int8(experts) if rounds else experts
    hidden = experts.down.shape[0]
    logits = draw(1, num_experts) if num_experts else None
    given = (draw(1, hidden), draw(1, hidden), draw(hidden), EPS, logits, experts)
    plain = experts_gemv(*given)
    fused = experts_gemv_fused(*given, up=(8, 4), down=(16, 4))
    assert fused[0].equal(plain[0])
    near(fused[1], plain[1], 1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("rounds", [False, True])
def test_sizes_of_the_released_model_stay_near_in_bfloat16(
    draw: Draw, ahead: bool, rounds: bool
) -> None:
    experts = drawn_experts(draw, 64, 6, hidden=1280, width=896)
    experts = in_int8(experts) if rounds else experts
    residual, change, norm, logits = draw(1, 1280), draw(1, 1280), draw(1280), draw(1, 64)
    exact = experts_gemv(residual, change, norm, EPS, logits, experts)[1]
    given = [tensor.bfloat16() for tensor in (residual, change, norm)]
    fused = experts_gemv_fused(*given, EPS, logits, rounded(experts), ahead=ahead)[1]
    near(fused.float(), exact, 0.02)
    weight = draw(3840, 1280, scale=0.03)
    product = norm_gemv(residual, change, norm, EPS, weight, torch.float32)[1]
    ours = norm_gemv_fused(*given, EPS, weight.bfloat16(), torch.bfloat16, ahead=ahead)[1]
    near(ours.float(), product, 0.02)


def rounded(experts: ExpertWeights) -> ExpertWeights:
    """In bfloat16, but for what is int8."""
    assert experts.w13 is not None and experts.w2 is not None
    stays = experts.scale13 is not None
    return replace(
        experts,
        gate=experts.gate.bfloat16(),
        up=experts.up.bfloat16(),
        down=experts.down.bfloat16(),
        w13=experts.w13 if stays else experts.w13.bfloat16(),
        w2=experts.w2 if stays else experts.w2.bfloat16(),
    )
