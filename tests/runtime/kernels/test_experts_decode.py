"""The experts of several decoded tokens against plain PyTorch."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.experts_decode import (
    DecodeTile,
    experts_decode,
    experts_decode_fused,
    norm_route,
    norm_route_fused,
)
from tests.runtime.kernels.conftest import Draw, near, quantized, random_experts
from tests.runtime.kernels.test_gemv import EPS, to_bfloat16

TILE = DecodeTile(32, 32, 16, 4, 2)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("count", "num_experts", "is_int8"),
    [(1, 8, False), (5, 11, False), (18, 4, False), (9, 5, True)],
)
def test_tokens_are_routed_to_their_experts(
    draw: Draw, normalize: bool, count: int, num_experts: int, is_int8: bool
) -> None:
    experts = random_experts(draw, num_experts, 3, normalize=normalize)
    experts = quantized(experts) if is_int8 else experts
    rows = torch.arange(count, dtype=torch.int32, device=draw.device)
    if count > 1:
        rows[1] = -1  # padding
    hidden = experts.down.shape[0]
    inputs = (draw(count, hidden), draw(count, hidden), draw(hidden), EPS)
    router = draw(num_experts, hidden, scale=0.2)
    counts = [torch.zeros(num_experts, dtype=torch.int32, device=draw.device) for _ in range(2)]
    residual, x, routes = norm_route(*inputs, router, experts, rows, counts[0])
    fused = norm_route_fused(*inputs, router, experts, rows, counts[1])
    assert fused[0].equal(residual)
    near(fused[1], x, 1e-5)
    assert fused[2].ids.equal(routes.ids)
    near(fused[2].weights, routes.weights, 1e-5)
    assert fused[2].counts.equal(routes.counts)
    for expert, number in enumerate(routes.counts.tolist()):
        expected, found = (each.lists[expert, :number] for each in (routes, fused[2]))
        assert found.sort().values.equal(expected.sort().values)

    expert_out = experts_decode_fused(fused[1], fused[2], experts, up=TILE, down=TILE)

    used = rows >= 0
    near(expert_out[used], experts_decode(x, routes, experts)[used], 1e-5)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy in the interpreter warns of NaN
def test_nan_logits_route_to_existing_experts_only(draw: Draw) -> None:
    experts = random_experts(draw, 8, 3)
    residual = draw(2, 48)
    residual[0] = float("nan")
    rows, counts = (torch.zeros(size, dtype=torch.int32, device=draw.device) for size in (2, 8))
    inputs = (residual, draw(2, 48), draw(48), EPS, draw(8, 48), experts, rows, counts)
    _, x, routes = norm_route_fused(*inputs)
    assert routes.counts.sum() == 2 * 3
    assert routes.ids.min() >= 0 and routes.ids.max() < 8
    expert_out = experts_decode_fused(x, routes, experts, up=TILE, down=TILE)
    assert expert_out[0].isnan().all() and expert_out[1].isfinite().all()


@pytest.mark.gpu
@pytest.mark.parametrize("count", [2, 32, 256])
@pytest.mark.parametrize("is_int8", [False, True])
def test_released_sizes_are_accurate_in_bfloat16(draw: Draw, count: int, is_int8: bool) -> None:
    from dsocr.runtime.kernels.tuning import decode_tuning_for

    experts = random_experts(draw, 64, 6, hidden=1280, width=896)
    experts = quantized(experts) if is_int8 else experts
    rows = torch.arange(count, dtype=torch.int32, device=draw.device)
    inputs = [draw(count, 1280).bfloat16(), draw(count, 1280).bfloat16(), draw(1280).bfloat16()]
    counts = torch.zeros(64, dtype=torch.int32, device=draw.device)
    router = draw(64, 1280, scale=0.1).bfloat16()
    _, x, routes = norm_route_fused(*inputs, EPS, router, experts, rows, counts)
    exact = experts_decode(x.float(), routes, experts).sum(1)
    tuning = decode_tuning_for(count)
    expert_out = experts_decode_fused(
        x, routes, to_bfloat16(experts), up=tuning.up, down=tuning.down
    )
    near(expert_out.float().sum(1), exact, 0.02)
