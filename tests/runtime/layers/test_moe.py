"""The routed experts against the formula spelled out token by token (spec 5)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.layers.moe import MoE
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr


def spelled_out(moe: MoE, x: Tensor) -> Tensor:
    router = moe.gate
    probabilities = F.linear(x, router.weight).softmax(-1)
    rows = []
    for token, row in zip(x, probabilities, strict=True):
        best = row.argsort(descending=True)[: router.num_chosen]
        total = row[best].sum() if router.normalize else 1.0
        out = moe.shared_experts(token)
        for expert in best.tolist():
            gate, up = (moe.experts.w13[expert] @ token).chunk(2)
            weight = row[expert] / total * router.scale
            out = out + weight * (moe.experts.w2[expert] @ (F.silu(gate) * up))
        rows.append(out)
    return torch.stack(rows)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("num_tokens", [1, 2, 50])
def test_experts_are_weighed_as_the_formula_says(
    tiny_model: DeepseekOcr, normalize: bool, scale: float, num_tokens: int
) -> None:
    spec = replace(tiny_model.spec.decoder, normalize_weights=normalize, routed_scale=scale)
    moe = MoE(spec).requires_grad_(False)
    generator = torch.Generator().manual_seed(num_tokens)
    for parameter in moe.parameters():
        parameter.normal_(std=0.2, generator=generator)
    x = torch.randn(num_tokens, spec.hidden_size, generator=generator)
    torch.testing.assert_close(moe(x), spelled_out(moe, x), atol=1e-5, rtol=1e-5)


def test_a_token_is_routed_alike_in_any_batch(tiny_model: DeepseekOcr) -> None:
    moe = tiny_model.decoder.layers[1].mlp
    x = torch.randn(40, 64, generator=torch.Generator().manual_seed(2))
    together = moe(x)
    alone = torch.cat([moe(row.unsqueeze(0)) for row in x])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
