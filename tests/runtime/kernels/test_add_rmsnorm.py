"""Residual sums, SiLU and the embedding lookup against plain PyTorch."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.add_rmsnorm import (
    add_rmsnorm,
    add_rmsnorm_fused,
    gather_embeddings,
    gather_embeddings_fused,
    silu_mul,
    silu_mul_fused,
)
from tests.runtime.kernels.conftest import Draw, near


@pytest.mark.parametrize("num_deltas", [0, 1, 5])
@pytest.mark.parametrize("hidden", [64, 100])
def test_deltas_are_added_and_normalized(draw: Draw, num_deltas: int, hidden: int) -> None:
    deltas = draw(3, num_deltas, hidden) if num_deltas else None
    inputs = (draw(3, hidden), deltas, draw(hidden), 1e-6)
    for fused, plain in zip(add_rmsnorm_fused(*inputs), add_rmsnorm(*inputs), strict=True):
        near(fused, plain, 1e-6)


def test_silu_of_the_gate_multiplies_up(draw: Draw) -> None:
    gate_up = draw(3, 2 * 1100, scale=3)
    near(silu_mul_fused(gate_up), silu_mul(gate_up), 1e-6)


def test_newest_token_of_each_row_is_looked_up(draw: Draw) -> None:
    table = draw(50, 40)
    tokens = torch.tensor([[1, 2, 3], [49, 5, 6], [7, 8, 9]], dtype=torch.int32)
    lengths = torch.tensor([[3, 0], [1, 0], [2, 0]], dtype=torch.int32)[:, 0]
    rows = torch.tensor([2, -1, 1], dtype=torch.int32)
    inputs = [table, *(tensor.to(draw.device) for tensor in (tokens, lengths, rows))]
    found = gather_embeddings_fused(*inputs)
    assert found.equal(gather_embeddings(*inputs))
    assert found.equal(torch.stack((table[8], torch.zeros_like(table[0]), table[49])))
