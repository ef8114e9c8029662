"""The tiny model on a CUDA GPU, plain and by kernels: the dtypes and paths that no CPU run sees."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dsocr.runtime.cache.batch import Chunk, make_batch
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.config import AttentionName
from dsocr.runtime.execution.decode_graph import DecodeState
from dsocr.runtime.execution.decode_step import DecodeStep
from dsocr.runtime.execution.prefill_step import PrefillStep
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.weights.loader import load_model
from tests.runtime.recipe import make_pixels
from tests.runtime.reference import golden, golden_tensors
from tests.runtime.stages import Reader, deviation, distance, vision_modules, watching

pytestmark = pytest.mark.gpu

SIDES = {512: 1, 640: 2, 1024: 1, 1280: 1}
WAYS: dict[str, tuple[AttentionName, bool]] = {
    "plain-flash": ("flash_attention_2", False),
    "plain-sdpa": ("sdpa", False),
    "plain-eager": ("eager", False),
    "kernels": ("flash_attention_2", True),
}
"""The attention wished for, and whether Triton's kernels take the place of most of it."""


def load(path: Path, dtype: torch.dtype, way: str = "plain-sdpa") -> DeepseekOcr:
    attention, kernels = WAYS[way]
    device = torch.device("cuda")
    return load_model(path, device=device, dtype=dtype, attention=attention, kernels=kernels)


@pytest.fixture(scope="module", params=["plain-sdpa", "kernels"])
def exact(request: pytest.FixtureRequest, tiny_checkpoint: Path) -> DeepseekOcr:
    return load(tiny_checkpoint, torch.float32, request.param)


@pytest.mark.parametrize("side", SIDES)
def test_vision_agrees_in_float32(exact: DeepseekOcr, side: int) -> None:
    with watching(vision_modules(exact)) as seen, torch.inference_mode():
        exact.vision(make_pixels(side, SIDES[side], device=exact.device))
    stages = golden("vision")["cases"][str(side)]["stages"]
    far = {name: deviation(seen[name], stage) for name, stage in stages.items()}
    assert max(far.values()) <= 1e-4, far


@pytest.mark.parametrize("way", WAYS)
def test_tokens_agree_in_float32(tiny_checkpoint: Path, way: str) -> None:
    reader = Reader(load(tiny_checkpoint, torch.float32, way), kernels=way == "kernels")
    ids, expected = golden("decoder")["input_ids"], golden("decoder")["generations"][0]
    logits = reader.model.logits(reader.hidden(reader.chunk([], ids)))
    assert distance(logits[-1], golden_tensors("decoder")["logits.last_position"]) <= 1e-4
    assert reader.greedy(ids, expected["max_new_tokens"]) == expected["output_ids"]


@pytest.mark.parametrize("way", WAYS)
def test_bfloat16_stays_as_near_as_the_released_code_does(tiny_checkpoint: Path, way: str) -> None:
    model = load(tiny_checkpoint, torch.bfloat16, way)
    assert model.attention == WAYS[way][0]
    allowed = golden("bf16_deviation")
    for side, vision in allowed["projector"].items():
        pixels = make_pixels(int(side), SIDES[int(side)], device=model.device).bfloat16()
        with torch.inference_mode():
            ours = model.vision(pixels).float().cpu()
        theirs = golden_tensors("vision")[f"projector.out.{side}"]
        assert (ours - theirs).abs().mean().item() <= 1.5 * vision["mean_abs_diff"]
    reader = Reader(model, kernels=way == "kernels")
    logits = model.logits(reader.hidden(reader.chunk([], golden("decoder")["input_ids"]))).cpu()
    columns = logits[:, golden("decoder")["logit_sample_columns"]]
    off = (columns - golden_tensors("decoder")["logits.sampled_columns"]).abs().mean().item()
    assert off <= 1.5 * allowed["decoder"]["logits_mean_abs_diff"]


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
def test_a_sequence_s_scores_hardly_depend_on_its_company(
    tiny_checkpoint: Path, dtype: torch.dtype, bound: float
) -> None:
    """Relative. A row alone goes another way than several, and each number of rows is cut in its
    own way: sums are rounded differently, no more."""
    model = load(tiny_checkpoint, dtype, "kernels")
    ids, most, blocks = golden("decoder")["input_ids"], 64, 8
    cache = KVCache(
        model.spec.decoder,
        num_blocks=most * blocks,
        block_size=BLOCK_SIZE,
        device=model.device,
        dtype=dtype,
    )
    state = DecodeState(
        num_slots=most,
        max_positions=model.spec.decoder.max_positions,
        max_blocks=blocks,
        exempt=[],
        end=-1,
        device=model.device,
    )
    chunks = []
    for slot in range(most):
        table = list(range(slot * blocks, (slot + 1) * blocks))
        tokens = ids[slot % 16 :]
        chunks.append(Chunk(tokens[:-1], 0, table))
        state.load(slot, tokens, table, num_prompt=len(tokens), limit=len(tokens) + 1)
    step = DecodeStep(model, cache, most)
    PrefillStep(model, cache).hidden(make_batch(chunks, block_size=BLOCK_SIZE, device=model.device))

    @torch.inference_mode()
    def scores(company: int) -> torch.Tensor:
        rows = torch.arange(company, dtype=torch.int32, device=model.device)
        return step.scores(rows, state)[0].clone()

    alone = scores(1)
    for company in (2, 3, 16, 17, 64):
        assert ((scores(company) - alone).norm() / alone.norm()).item() <= bound, company


def test_grouped_experts_agree_with_looped(tiny_checkpoint: Path) -> None:
    model = load(tiny_checkpoint, torch.bfloat16)
    moe = model.decoder.layers[1].mlp
    assert moe.experts.kind == "grouped"
    generator = torch.Generator("cuda").manual_seed(1)
    for num_tokens in (1, 5, 300):
        x = torch.randn(num_tokens, 64, generator=generator, device="cuda").bfloat16()
        routed = moe.gate(x)
        grouped = moe.experts(x, *routed)
        moe.experts.kind = "looped"
        looped = moe.experts(x, *routed)
        moe.experts.kind = "grouped"
        assert distance(grouped, looped) <= 0.02 * looped.abs().max().item()


@pytest.mark.parametrize("way", ["plain-flash", "kernels"])
def test_float16_stays_near(tiny_checkpoint: Path, way: str) -> None:
    reader = Reader(load(tiny_checkpoint, torch.float16, way), kernels=way == "kernels")
    hidden = reader.hidden(reader.chunk([], golden("decoder")["input_ids"]))
    logits = reader.model.logits(hidden[-1])
    assert distance(logits, golden_tensors("decoder")["logits.last_position"]) <= 0.1
