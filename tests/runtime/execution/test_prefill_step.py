"""Prompts by kernels on the tiny checkpoint: hidden states and cache are the plain model's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dsocr.runtime.cache.batch import Chunk, make_batch
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.prefill_step import PrefillStep
from dsocr.runtime.kernels.triton_compat import INSTALLED
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.weights.loader import load_model
from tests.runtime.kernels.conftest import near

pytestmark = pytest.mark.skipif(not INSTALLED, reason="needs triton")

BLOCK_SIZE = 16


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def model(request: pytest.FixtureRequest, tiny_checkpoint: Path) -> DeepseekOcr:
    """One of our own: its weights are laid out anew."""
    device = torch.device(request.param)
    return load_model(tiny_checkpoint, device=device, dtype=torch.float32, attention="sdpa")


def cache_for(model: DeepseekOcr, kept: torch.dtype = torch.float32) -> KVCache:
    return KVCache(
        model.spec.decoder,
        num_blocks=12,
        block_size=BLOCK_SIZE,
        device=model.device,
        dtype=kept,
    )


@pytest.mark.parametrize(
    ("kept", "bound"),
    [
        (torch.float32, 1e-5),
        # in fp8 a last digit becomes a step
        pytest.param(torch.float8_e4m3fn, 5e-3, marks=pytest.mark.slow),
    ],
)
def test_chunks_of_prompts_are_prefilled_as_by_the_plain_model(
    model: DeepseekOcr, kept: torch.dtype, bound: float
) -> None:
    dice = torch.Generator().manual_seed(3)
    features = torch.randn(5, model.spec.decoder.hidden_size, generator=dice) * 0.05
    features = features.to(model.device)
    tables = [[7, 2, 9], [4, 11], [0, 5]]
    steps = [
        [Chunk(range(3, 40), 0, tables[0], features, [1, 2, 3, 10, 30])],
        [Chunk([8], 37, tables[0]), Chunk(range(50, 71), 0, tables[1])],
        [Chunk(range(9), 21, tables[1]), Chunk([12, 13], 0, tables[2])],
    ]
    caches = [cache_for(model, kept) for _ in range(2)]
    prefill = PrefillStep(model, caches[1])
    for chunks in steps:
        batch = make_batch(chunks, block_size=BLOCK_SIZE, device=model.device)
        expected = model.forward(batch, caches[0])
        near(prefill.hidden(batch), expected, bound)
        near(caches[1].blocks.float(), caches[0].blocks.float(), bound)


def test_contiguous_weights_are_not_copied(model: DeepseekOcr) -> None:
    PrefillStep(model, cache_for(model))
    before = {name: one.data_ptr() for name, one in model.decoder.named_parameters()}
    PrefillStep(model, cache_for(model))
    assert {name: one.data_ptr() for name, one in model.decoder.named_parameters()} == before
