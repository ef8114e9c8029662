"""The chosen experts of many tokens, in tiles, against plain PyTorch."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.experts_prefill import (
    PrefillTile,
    experts_prefill,
    experts_prefill_fused,
    route,
    route_fused,
)
from tests.runtime.kernels.conftest import Draw, near, quantized, random_experts
from tests.runtime.kernels.test_gemv import to_bfloat16

TILE = PrefillTile(16, 32, 16, 4, 2)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("count", "num_experts", "is_int8"),
    [(1, 8, False), (5, 11, False), (70, 4, False), (20, 5, True)],
)
def test_tokens_are_routed_to_their_experts(
    draw: Draw, normalize: bool, count: int, num_experts: int, is_int8: bool
) -> None:
    experts = random_experts(draw, num_experts, 3, normalize=normalize)
    experts = quantized(experts) if is_int8 else experts
    logits = draw(count, num_experts)
    routes, fused = route(logits, experts), route_fused(logits, experts)
    assert fused.ids.equal(routes.ids)
    near(fused.weights, routes.weights, 1e-5)
    assert fused.counts.equal(routes.counts)
    for expert, number in enumerate(routes.counts.tolist()):
        plain, found = (each.lists[expert, :number] for each in (routes, fused))
        assert found.sort().values.equal(plain.sort().values)
    x = draw(count, experts.down.shape[0])
    expert_out = draw(count, 4, x.shape[1])
    expected, last = expert_out.clone(), expert_out[:, 3].clone()

    experts_prefill_fused(x, fused, experts, expert_out, up=TILE, down=TILE)

    experts_prefill(x, routes, experts, expected)
    near(expert_out[:, :3], expected[:, :3], 1e-5)
    assert expert_out[:, 3].equal(last)  # of the shared experts


def test_of_equal_logits_the_first_expert_is_chosen(draw: Draw) -> None:
    experts = random_experts(draw, 6, 3)
    fused = route_fused(torch.zeros(2, 6, device=draw.device), experts)
    assert fused.ids.tolist() == [[0, 1, 2]] * 2
    near(fused.weights, torch.full_like(fused.weights, 1 / 6), 1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy in the interpreter warns of NaN
def test_nan_logits_route_to_existing_experts_only(draw: Draw) -> None:
    experts = random_experts(draw, 8, 3)
    logits, x = draw(3, 8), draw(3, 48)
    logits[0], x[0] = float("nan"), float("nan")
    logits[1] = float("-inf")
    routes = route_fused(logits, experts)
    assert routes.counts.sum() == 3 * 3
    assert all(len(set(ids)) == 3 and max(ids) < 8 for ids in routes.ids.tolist())
    expert_out = x.new_empty(3, 4, 48)
    experts_prefill_fused(x, routes, experts, expert_out, up=TILE, down=TILE)
    assert expert_out[0, :3].isnan().all() and expert_out[2, :3].isfinite().all()


@pytest.mark.gpu
@pytest.mark.parametrize("count", [7, 913, 3000])
@pytest.mark.parametrize("is_int8", [False, True])
def test_released_sizes_are_accurate_in_bfloat16(draw: Draw, count: int, is_int8: bool) -> None:
    from dsocr.runtime.kernels.tuning import prefill_tuning_for

    experts = random_experts(draw, 64, 6, hidden=1280, width=896)
    experts = quantized(experts) if is_int8 else experts
    x = draw(count, 1280).bfloat16()
    routes = route_fused(draw(count, 64), experts)
    tuning, some = prefill_tuning_for(count), slice(0, 40)
    expert_out = x.new_empty(count, 7, 1280)
    experts_prefill_fused(
        x, routes, to_bfloat16(experts), expert_out, up=tuning.up, down=tuning.down
    )
    exact = torch.empty(len(x[some]), 7, 1280, device=x.device)
    part = type(routes)(routes.weights[some], routes.ids[some], routes.counts, routes.lists)
    experts_prefill(x[some].float(), part, experts, exact)
    near(expert_out[some, :6].float().sum(1), exact[:, :6].sum(1), 0.02)
