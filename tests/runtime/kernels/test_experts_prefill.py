"""Many tokens to the experts that they choose, in tiles."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.experts_prefill import (
    Tile,
    experts_prefill,
    experts_prefill_fused,
    route,
    route_fused,
)
from tests.runtime.kernels.conftest import Draw, drawn_experts, in_int8, near
from tests.runtime.kernels.test_gemv import rounded

SMALL = Tile(16, 32, 16, 4, 2)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("count", "num_experts", "rounds"),
    [(1, 8, False), (5, 11, False), (70, 4, False), (20, 5, True)],
)
def test_every_token_finds_its_experts(
    draw: Draw, normalize: bool, count: int, num_experts: int, rounds: bool
) -> None:
    experts = drawn_experts(draw, num_experts, 3, normalize=normalize)
    experts = in_int8(experts) if rounds else experts
    logits = draw(count, num_experts)
    routes, ours = route(logits, experts), route_fused(logits, experts)
    assert ours.ids.equal(routes.ids)
    near(ours.weights, routes.weights, 1e-5)
    assert ours.counts.equal(routes.counts)
    for expert, number in enumerate(routes.counts.tolist()):
        wanted, found = (one.lists[expert, :number] for one in (routes, ours))
        assert found.sort().values.equal(wanted.sort().values)
    x = draw(count, experts.down.shape[0])
    said = draw(count, 4, x.shape[1])
    expected, last = said.clone(), said[:, 3].clone()

    experts_prefill_fused(x, ours, experts, said, up=SMALL, down=SMALL)

    experts_prefill(x, routes, experts, expected)
    near(said[:, :3], expected[:, :3], 1e-5)
    assert said[:, 3].equal(last)  # the shared ones' place


def test_of_equal_scores_the_first_wins(draw: Draw) -> None:
    experts = drawn_experts(draw, 6, 3)
    ours = route_fused(torch.zeros(2, 6, device=draw.device), experts)
    assert ours.ids.tolist() == [[0, 1, 2]] * 2
    near(ours.weights, torch.full_like(ours.weights, 1 / 6), 1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy, which interprets, warns of NaN
def test_scores_that_are_no_numbers_lead_nowhere_else(draw: Draw) -> None:
    experts = drawn_experts(draw, 8, 3)
    logits, x = draw(3, 8), draw(3, 48)
    logits[0], x[0] = float("nan"), float("nan")
    logits[1] = float("-inf")
    routes = route_fused(logits, experts)
    assert routes.counts.sum() == 3 * 3
    assert all(len(set(ids)) == 3 and max(ids) < 8 for ids in routes.ids.tolist())
    said = x.new_empty(3, 4, 48)
    experts_prefill_fused(x, routes, experts, said, up=SMALL, down=SMALL)
    assert said[0, :3].isnan().all() and said[2, :3].isfinite().all()


@pytest.mark.gpu
@pytest.mark.parametrize("count", [7, 913, 3000])
@pytest.mark.parametrize("rounds", [False, True])
def test_sizes_of_the_released_model_stay_near_in_bfloat16(
    draw: Draw, count: int, rounds: bool
) -> None:
    from dsocr.runtime.kernels.tuning import prefill_tuning_for

    experts = drawn_experts(draw, 64, 6, hidden=1280, width=896)
    experts = in_int8(experts) if rounds else experts
    x = draw(count, 1280).bfloat16()
    routes = route_fused(draw(count, 64), experts)
    tuning, some = prefill_tuning_for(count), slice(0, 40)
    said = x.new_empty(count, 7, 1280)
    experts_prefill_fused(x, routes, rounded(experts), said, up=tuning.up, down=tuning.down)
    exact = torch.empty(len(x[some]), 7, 1280, device=x.device)
    part = type(routes)(routes.weights[some], routes.ids[some], routes.counts, routes.lists)
    experts_prefill(x[some].float(), part, experts, exact)
    near(said[some, :6].float().sum(1), exact[:, :6].sum(1), 0.02)
