"""The towers of DeepSeek-OCR-2 against the released code's values, stage by stage (spec 10)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from dsocr.runtime.config import AttentionName
from dsocr.runtime.kernels.triton_compat import INSTALLED
from dsocr.runtime.layers.attention import attend, attend_grouped
from dsocr.runtime.models.deepseek_ocr2 import DeepseekOcr2
from dsocr.runtime.models.sam import Sam
from dsocr.runtime.weights.loader import load_model
from tests.runtime.ocr2 import SALT, VIEWS_OF_SIDE, golden, golden_tensors
from tests.runtime.recipe import make_pixels, make_tensor
from tests.runtime.stages import deviation, distance, watching_vision

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


def pixels(side: int, device: torch.device = CPU) -> torch.Tensor:
    return make_pixels(side, VIEWS_OF_SIDE[side], salt=SALT, device=device)


@pytest.fixture(scope="module", params=VIEWS_OF_SIDE)
def stages(request: pytest.FixtureRequest, ocr2_model: DeepseekOcr2) -> tuple[int, dict[str, Any]]:
    """A side and all stages of its golden input."""
    with watching_vision(ocr2_model) as seen, torch.inference_mode():
        ocr2_model.vision(pixels(request.param))
    return request.param, seen


def test_the_recipe_with_a_salt_makes_the_references_weights() -> None:
    for name, entry in golden("tensors")["tensors"].items():
        made = make_tensor(name, entry["shape"], salt=SALT)
        digest = hashlib.sha256(made.view(torch.int16).numpy().tobytes()).hexdigest()
        assert digest == entry["sha256_bf16_le"], name


def test_the_model_has_the_references_tensors(ocr2_model: DeepseekOcr2) -> None:
    ours = {name: list(place.shape) for name, place in ocr2_model.checkpoint_tensors()}
    tensors = golden("tensors")["tensors"]
    assert ours == {name: entry["shape"] for name, entry in tensors.items()}


def test_every_stage_agrees_with_the_released_code(stages: tuple[int, dict[str, Any]]) -> None:
    side, seen = stages
    expected = golden("vision")["cases"][str(side)]["stages"]
    far = {name: deviation(seen[name], stage) for name, stage in expected.items()}
    assert len(far) == 15
    assert max(far.values()) <= 1e-4, far


def test_whole_outputs_agree_with_the_released_code(stages: tuple[int, dict[str, Any]]) -> None:
    side, seen = stages
    names = [name for name in golden_tensors("vision") if name.endswith(f".{side}")]
    assert len(names) == 3
    for name in names:
        stage = name.removesuffix(f".{side}")
        assert distance(seen[stage], golden_tensors("vision")[name]) <= 1e-4, name


@pytest.mark.parametrize("kind", ["eager", "sdpa"])
@pytest.mark.parametrize("side", VIEWS_OF_SIDE)
def test_the_two_attention_calls_are_the_references_mask(side: int, kind: AttentionName) -> None:
    """Values that are unit vectors show what each row sees."""
    case = golden("vision")["cases"][str(side)]["encoder_mask"]
    tokens = case["side"]
    q, k = torch.zeros(1, 2, tokens, 8), torch.zeros(1, 1, tokens, 8)
    v, n = torch.eye(tokens)[None, None], tokens // 2
    image = attend_grouped(q[:, :, :n], k[:, :, :n], v[:, :, :n], kind=kind, causal=False)
    query = attend_grouped(q[:, :, n:], k, v, kind=kind, causal=True)
    for head in range(2):
        seen = (torch.cat((image, query), dim=2)[0, head] > 0).to(torch.uint8)
        assert int(seen.sum()) == case["n_allowed"]
        digest = hashlib.sha256(seen.numpy().tobytes()).hexdigest()
        assert digest == case["sha256_uint8_rows_query_columns_key"]


@pytest.mark.parametrize("kind", ["eager", "sdpa"])
def test_consecutive_heads_share_keys_and_values(kind: AttentionName) -> None:
    random = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(2, heads, 5, 8, generator=random) for heads in (6, 2, 2))
    shared = attend_grouped(q, k, v, kind=kind, causal=False)
    for head in range(6):
        group = slice(head // 3, head // 3 + 1)
        alone = attend(q[:, head : head + 1], k[:, group], v[:, group], kind="eager")
        assert distance(shared[:, head : head + 1], alone) <= 1e-6


@pytest.mark.parametrize("grid", [48, 64])
def test_position_tables_are_resized_like_the_released_code(
    ocr2_model: DeepseekOcr2, grid: int
) -> None:
    sam: Sam = ocr2_model.sam_model
    resized = sam.positions(sam.pos_embed, grid)[0]
    expected = golden_tensors("vision")[f"sam.abs_pos.{grid}"]
    sampled = resized if resized.shape == expected.shape else resized[::7, ::5]
    assert distance(sampled, expected) <= 1e-6


def test_bfloat16_stays_as_near_as_the_released_code_does(ocr2_checkpoint: Path) -> None:
    model = load_model(ocr2_checkpoint, device=CPU, dtype=torch.bfloat16, attention="sdpa")
    for side, allowed in golden("bf16_deviation")["projector"].items():
        with torch.inference_mode():
            ours = model.vision(pixels(int(side)).bfloat16()).float()
        theirs = golden_tensors("vision")[f"projector.out.{side}"]
        cosine = torch.cosine_similarity(ours, theirs, dim=-1).min().item()
        assert (ours - theirs).abs().mean().item() <= 1.5 * allowed["mean_abs_diff"]
        assert cosine >= 1 - 2 * (1 - allowed["cosine_min_over_tokens"])


def test_a_side_without_queries_is_refused(ocr2_model: DeepseekOcr2) -> None:
    with pytest.raises(ValueError, match=r"views of 640 pixels have no queries.*768, 1024"):
        ocr2_model.vision(torch.zeros(1, 3, 640, 640))


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="needs triton")
def test_the_encoder_by_kernels_sees_what_the_plain_one_sees(ocr2_checkpoint: Path) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    plain, fused = (
        load_model(ocr2_checkpoint, device=device, dtype=torch.float32, attention="sdpa")
        for _ in range(2)
    )
    fused.qwen2_model.use_kernels()
    features = torch.randn(1, 96, 12, 12, generator=torch.Generator().manual_seed(1)).to(device)
    with torch.inference_mode():
        # rounding grows in the encoder: implementations in float32 differ by up to 6e-5
        assert distance(fused.qwen2_model(features), plain.qwen2_model(features)) <= 1e-4
