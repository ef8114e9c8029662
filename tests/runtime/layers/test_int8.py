"""Experts in int8 on the tiny checkpoint: how far off they are, and by kernels as without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dsocr.runtime.cache.batch import Chunk, make_batch
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.events import Done
from dsocr.runtime.execution.decode_graph import DecodeState
from dsocr.runtime.execution.decode_step import DecodeStep
from dsocr.runtime.execution.prefill_step import PrefillStep
from dsocr.runtime.kernels.decode_attention import Split
from dsocr.runtime.kernels.triton_compat import INSTALLED
from dsocr.runtime.kernels.tuning import decode_tuning_for
from dsocr.runtime.layers.int8 import Int8Rows, dequantized
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.loader import load_model
from tests.runtime.goldens import golden_mode, golden_page
from tests.runtime.kernels.conftest import near
from tests.runtime.plain_decode import PlainStep
from tests.runtime.reading import plain_runtime
from tests.runtime.reference import golden
from tests.runtime.stages import BLOCK_SIZE, Reader

pytestmark = pytest.mark.usefixtures("one_thread")

BOUND = 0.004
"""Relative, of hidden states and logits to those of float32 weights. Seen: 0.0021."""


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> DeepseekOcr:
    return load_model(
        tiny_checkpoint,
        device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        dtype=torch.float32,
        attention="sdpa",
        expert_dtype="int8",
    )


def test_a_number_is_off_by_half_a_scale_at_most() -> None:
    weights = torch.randn(5, 40, generator=torch.Generator().manual_seed(3))
    weights[1] *= 1e-6
    weights[2] = 0.0
    rows = Int8Rows(torch.empty(5, 40, dtype=torch.int8), torch.empty(5))
    rows.copy_(weights)
    meant = dequantized(rows.values, rows.scales, torch.float32)
    assert ((meant - weights).abs() <= 0.5001 * rows.scales.unsqueeze(-1)).all()
    assert rows.values.abs().amax(-1).tolist() == [127, 127, 0, 127, 127]


def test_only_routed_experts_are_int8_and_take_a_quarter(
    model: DeepseekOcr, tiny_model: DeepseekOcr
) -> None:
    experts, plain = (one.decoder.layers[1].mlp.experts for one in (model, tiny_model))
    assert plain.scale13 is None and plain.w13.dtype == torch.float32
    sizes = [sum(one.nbytes for one in (each.w13, each.w2)) for each in (experts, plain)]
    assert sizes[0] * 4 == sizes[1]
    others = {name: one.dtype for name, one in model.named_parameters() if ".experts." not in name}
    assert set(others.values()) == {model.dtype} == {torch.float32}


def test_hidden_states_and_logits_stay_near_those_of_float32_weights(
    model: DeepseekOcr, tiny_model: DeepseekOcr
) -> None:
    ids = golden("decoder")["input_ids"]
    readers = Reader(model), Reader(tiny_model)
    hidden, exact = (reader.hidden(reader.chunk([], ids)) for reader in readers)
    near(hidden.cpu(), exact, BOUND)
    near(model.logits(hidden).cpu(), tiny_model.logits(exact), BOUND)
    assert not hidden.cpu().equal(exact)


@pytest.mark.parametrize("case", golden("e2e")["cases"][:2], ids=lambda case: case["mode"])
def test_pages_are_read_to_an_end(
    model: DeepseekOcr, tokenizer: Tokenizer, case: dict[str, object]
) -> None:
    page, params = golden_page(case["image"]), SamplingParams(max_tokens=24)
    runtime = plain_runtime(model, tokenizer)
    done = list(runtime.generate(Request(1, page, case["prompt"], golden_mode(case), params)))[-1]
    assert isinstance(done, Done) and done.finish_reason == "length"
    assert len(done.output_ids) == 24


@pytest.mark.skipif(not INSTALLED, reason="needs triton")
@pytest.mark.parametrize("rows", [1, 2])
def test_kernels_compute_what_the_plain_model_does(model: DeepseekOcr, rows: int) -> None:
    size = {"num_blocks": 2 * rows, "block_size": BLOCK_SIZE}
    spec, device = model.spec.decoder, model.device
    plain, fused = (KVCache(spec, **size, device=device, dtype=model.dtype) for _ in range(2))
    prompts = [list(range(3 + row, 7 + 3 * row)) for row in range(rows)]
    tables = [[2 * row + 1, 2 * row] for row in range(rows)]
    chunks = [Chunk(ids, 0, table) for ids, table in zip(prompts, tables, strict=True)]
    batch = make_batch(chunks, block_size=BLOCK_SIZE, device=device)

    near(PrefillStep(model, fused).hidden(batch), model.forward(batch, plain), 1e-5)

    state = DecodeState(
        num_slots=rows, max_positions=64, max_blocks=4, exempt=(), end=-1, device=device
    )
    for row, (ids, table) in enumerate(zip(prompts, tables, strict=True)):
        state.load(row, [*ids, 50 + row], table, num_prompt=len(ids), limit=60)
    slots = torch.arange(rows, dtype=torch.int32, device=device)
    with torch.inference_mode():
        expected = PlainStep(model, plain, rows).scores(slots, state)
        step = DecodeStep(model, fused, rows)
        if device.type == "cpu":  # programs run one after another: as few as can be
            split = Split(1, 32, 4, 2)
            step.row_tuning = replace(step.row_tuning, split=split, head=(8192, 4))
            step.tuning_for = lambda rows: replace(decode_tuning_for(rows), split=split)
        near(step.scores(slots, state).cpu(), expected, 1e-5)
