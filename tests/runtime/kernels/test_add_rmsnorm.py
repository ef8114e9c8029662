"""The small kernels between the products."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels.add_rmsnorm import (
    add_rmsnorm,
    add_rmsnorm_fused,
    gate,
    gate_fused,
    newest_embeddings,
    newest_embeddings_fused,
)
from tests.runtime.kernels.conftest import Draw, near


@pytest.mark.parametrize("parts", [0, 1, 5])
@pytest.mark.parametrize("hidden", [64, 100])
def test_changes_are_summed_and_normed(draw: Draw, parts: int, hidden: int) -> None:
    given = (draw(3, hidden), draw(3, parts, hidden) if parts else None, draw(hidden), 1e-6)
    for ours, plain in zip(add_rmsnorm_fused(*given), add_rmsnorm(*given), strict=True):
        near(ours, plain, 1e-6)


def test_halves_gate_each_other(draw: Draw) -> None:
    both = draw(3, 2 * 1100, scale=3)
    near(gate_fused(both), gate(both), 1e-6)


def test_the_newest_token_of_each_slot_is_looked_up(draw: Draw) -> None:
    table = draw(50, 40)
    tokens = torch.tensor([[1, 2, 3], [49, 5, 6], [7, 8, 9]], dtype=torch.int32)
    lengths = torch.tensor([[3, 0], [1, 0], [2, 0]], dtype=torch.int32)[:, 0]
    rows = torch.tensor([2, -1, 1], dtype=torch.int32)
    given = [table, *(tensor.to(draw.device) for tensor in (tokens, lengths, rows))]
    found = newest_embeddings_fused(*given)
    assert found.equal(newest_embeddings(*given))
    assert found.equal(torch.stack((table[8], torch.zeros_like(table[0]), table[49])))
