"""DeepSeek-OCR-2 on a CUDA GPU: the tiny towers in every dtype and the released size in float32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dsocr.runtime.config import AttentionName
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.layers.attention import attend_grouped
from dsocr.runtime.models.deepseek_ocr2 import DeepseekOcr2
from dsocr.runtime.models.deepseek_ocr2_spec import ARCHITECTURE, RELEASED_SPEC, one_of_each_layer
from dsocr.runtime.models.registry import FAMILIES
from dsocr.runtime.weights.loader import empty_model, give_memory, load_model
from tests.runtime.goldens import golden_json
from tests.runtime.ocr2 import (
    SALT,
    VIEWS_OF_SIDE,
    fill_towers,
    golden,
    golden_tensors,
    ocr2_page,
)
from tests.runtime.recipe import make_pixels
from tests.runtime.stages import deviation, watching_vision

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")
INSIDE = 1e-3
"""Bound within the full encoder, where rounding grows before the final norm."""


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "kernels"])
def full_towers(request: pytest.FixtureRequest) -> DeepseekOcr2:
    """The released towers with a short decoder, in float32."""
    spec = replace(RELEASED_SPEC, decoder=one_of_each_layer(RELEASED_SPEC).decoder)
    model = empty_model(FAMILIES[ARCHITECTURE], spec, "sdpa")
    assert isinstance(model, DeepseekOcr2)
    give_memory(model, device=GPU, dtype=torch.float32)
    fill_towers(model)
    if request.param:
        model.use_kernels()
    return model


@pytest.mark.parametrize("side", VIEWS_OF_SIDE)
def test_full_size_towers_agree_with_the_released_code(
    full_towers: DeepseekOcr2, side: int
) -> None:
    case = golden_json("ocr2/full.json.gz")["vision"][str(side)]
    with watching_vision(full_towers) as seen, torch.inference_mode():
        full_towers.vision(make_pixels(side, case["n"], salt=SALT, device=GPU))
    far = {name: deviation(seen[name], stage) for name, stage in case["stages"].items()}
    inside = {name: far.pop(name) for name in [*far] if name.startswith("qwen.layer")}
    assert max(inside.values()) <= INSIDE, inside
    assert max(far.values()) <= 1e-4, far


@pytest.mark.parametrize("kernels", [False, True])
@pytest.mark.parametrize("attention", ["eager", "sdpa", "flash_attention_2"])
def test_bfloat16_stays_as_near_as_the_released_code_does(
    ocr2_checkpoint: Path, attention: AttentionName, kernels: bool
) -> None:
    model = load_model(
        ocr2_checkpoint, device=GPU, dtype=torch.bfloat16, attention=attention, kernels=kernels
    )
    for side, allowed in golden("bf16_deviation")["projector"].items():
        pixels = make_pixels(int(side), VIEWS_OF_SIDE[int(side)], salt=SALT, device=GPU)
        with torch.inference_mode():
            ours = model.vision(pixels.bfloat16()).float().cpu()
        theirs = golden_tensors("vision")[f"projector.out.{side}"]
        assert (ours - theirs).abs().mean().item() <= 1.5 * allowed["mean_abs_diff"]


@pytest.mark.parametrize("causal", [False, True])
def test_flash_attention_of_grouped_heads_is_the_plain_one(causal: bool) -> None:
    random = torch.Generator(GPU).manual_seed(1)
    sizes = ((14, 256), (2, 512), (2, 512))
    q, k, v = (
        torch.randn(3, heads, length, 64, generator=random, device=GPU).bfloat16()
        for heads, length in sizes
    )
    exact = attend_grouped(q.float(), k.float(), v.float(), kind="eager", causal=causal)
    flash = attend_grouped(q, k, v, kind="flash_attention_2", causal=causal)
    assert (flash.float() - exact).norm() <= 0.01 * exact.norm()


def test_replayed_graphs_give_what_a_pass_without_one_gives(ocr2_checkpoint: Path) -> None:
    model = load_model(
        ocr2_checkpoint,
        device=GPU,
        dtype=torch.bfloat16,
        attention="flash_attention_2",
        kernels=True,
    )
    vision = VisionRunner(model)
    page = model.prepare(ocr2_page("xor_769x768.png"), "gundam")
    [before] = vision.encode([page])
    while vision.run_idle_work():
        pass
    [after] = vision.encode([page])
    assert torch.equal(before, after)
