"""Many tokens, each to its experts."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.experts_decode import (
    Tiles,
    experts_decode,
    experts_decode_fused,
    norm_route,
    norm_route_fused,
)
from tests.runtime.kernels.conftest import Draw, drawn_experts, in_int8, near
from tests.runtime.kernels.test_gemv import EPS, rounded

SMALL = Tiles(32, 32, 16, 4, 2)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("count", "num_experts", "rounds"),
    [(1, 8, False), (5, 11, False), (18, 4, False), (9, 5, True)],
)
def test_every_token_finds_its_experts(
    draw: Draw, normalize: bool, count: int, num_experts: int, rounds: bool
) -> None:
    experts = drawn_experts(draw, num_experts, 3, normalize=normalize)
    experts = in_int8(experts) if rounds else experts
    owners = torch.arange(count, dtype=torch.int32, device=draw.device)
    if count > 1:
        owners[1] = -1  # nobody's
    hidden = experts.down.shape[0]
    given = (draw(count, hidden), draw(count, hidden), draw(hidden), EPS)
    router = draw(num_experts, hidden, scale=0.2)
    counts = [torch.zeros(num_experts, dtype=torch.int32, device=draw.device) for _ in range(2)]
    residual, x, routes = norm_route(*given, router, experts, owners, counts[0])
    ours = norm_route_fused(*given, router, experts, owners, counts[1])
    assert ours[0].equal(residual)
    near(ours[1], x, 1e-5)
    assert ours[2].ids.equal(routes.ids)
    near(ours[2].weights, routes.weights, 1e-5)
    assert ours[2].counts.equal(routes.counts)
    for expert, number in enumerate(routes.counts.tolist()):
        wanted, found = (one.lists[expert, :number] for one in (routes, ours[2]))
        assert found.sort().values.equal(wanted.sort().values)

    said = experts_decode_fused(ours[1], ours[2], experts, up=SMALL, down=SMALL)

    owned = owners >= 0
    near(said[owned], experts_decode(x, routes, experts)[owned], 1e-5)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy, which interprets, warns of NaN
def test_scores_that_are_no_numbers_lead_nowhere_else(draw: Draw) -> None:
    experts = drawn_experts(draw, 8, 3)
    residual = draw(2, 48)
    residual[0] = float("nan")
    owners, counts = (torch.zeros(size, dtype=torch.int32, device=draw.device) for size in (2, 8))
    given = (residual, draw(2, 48), draw(48), EPS, draw(8, 48), experts, owners, counts)
    _, x, routes = norm_route_fused(*given)
    assert routes.counts.sum() == 2 * 3
    assert routes.ids.min() >= 0 and routes.ids.max() < 8
    said = experts_decode_fused(x, routes, experts, up=SMALL, down=SMALL)
    assert said[0].isnan().all() and said[1].isfinite().all()


@pytest.mark.gpu
@pytest.mark.parametrize("count", [2, 32, 256])
@pytest.mark.parametrize("rounds", [False, True])
def test_sizes_of_the_released_model_stay_near_in_bfloat16(
    draw: Draw, count: int, rounds: bool
) -> None:
    from dsocr.runtime.kernels.tuning import tuning_for

    experts = drawn_experts(draw, 64, 6, hidden=1280, width=896)
    experts = in_int8(experts) if rounds else experts
    owners = torch.arange(count, dtype=torch.int32, device=draw.device)
    given = [draw(count, 1280).bfloat16(), draw(count, 1280).bfloat16(), draw(1280).bfloat16()]
    counts = torch.zeros(64, dtype=torch.int32, device=draw.device)
    router = draw(64, 1280, scale=0.1).bfloat16()
    _, x, routes = norm_route_fused(*given, EPS, router, experts, owners, counts)
    exact = experts_decode(x.float(), routes, experts).sum(1)
    tuning = tuning_for(count)
    said = experts_decode_fused(x, routes, rounded(experts), up=tuning.up, down=tuning.down)
    near(said.float().sum(1), exact, 0.02)
