"""SAM, CLIP and projector against the released code's values, stage by stage (spec 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dsocr.runtime.cache.batch import PageViews
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.kernels.elementwise import normalize
from dsocr.runtime.kernels.triton_compat import INSTALLED
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.weights.loader import load_model
from tests.runtime.goldens import golden_mode, golden_page
from tests.runtime.recipe import make_pixels
from tests.runtime.reference import golden, golden_tensors
from tests.runtime.stages import deviation, distance, vision_modules, watching

COUNTS = {512: 1, 640: 2, 1024: 1, 1280: 1}


def page(seed: int, *, side: int, grid: tuple[int, int] = (1, 1), tile: int = 64) -> PageViews:
    """A page of noise: what it shows does not matter here, only where it ends up."""
    random = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randint(0, 256, shape, generator=random, dtype=torch.uint8)

    count = grid[0] * grid[1]
    tiles = noise(count, tile, tile, 3) if count > 1 else None
    return PageViews(global_view=noise(side, side, 3), tiles=tiles, grid=grid)


@pytest.fixture(scope="module", params=COUNTS)
def stages(request: pytest.FixtureRequest, tiny_model: DeepseekOcr) -> tuple[int, dict[str, Any]]:
    """A side and all stages of its golden input."""
    side = request.param
    with watching(vision_modules(tiny_model)) as seen, torch.inference_mode():
        tiny_model.vision(make_pixels(side, COUNTS[side]))
    return side, seen


def test_every_stage_agrees_with_the_released_code(stages: tuple[int, dict[str, Any]]) -> None:
    side, seen = stages
    expected = golden("vision")["cases"][str(side)]["stages"]
    far = {name: deviation(seen[name], stage) for name, stage in expected.items()}
    assert len(far) == 14
    assert max(far.values()) <= 1e-4, far


def test_whole_outputs_agree_with_the_released_code(stages: tuple[int, dict[str, Any]]) -> None:
    side, seen = stages
    stored = {
        name: golden_tensors("vision")[f"{name}.{side}"]
        for name in ("sam.out_nchw", "clip.out", "projector.out")
        if f"{name}.{side}" in golden_tensors("vision")
    }
    assert "projector.out" in stored
    assert all(distance(seen[name], expected) <= 1e-4 for name, expected in stored.items())


@pytest.mark.parametrize("case", [0, 4, 6, 9])
def test_a_pages_features_agree_with_the_released_code(tiny_model: DeepseekOcr, case: int) -> None:
    """Squashed, tiled, too small for tiles, padded: images all the way to placeholders."""
    expected = golden("e2e")["cases"][case]
    views = tiny_model.prepare(golden_page(expected["image"]), golden_mode(expected))
    [features] = VisionRunner(tiny_model).encode([views])
    rows = golden_tensors("e2e")[f"{expected['tensor_prefix']}.image_feature_rows"]
    assert list(views.grid) == expected["grid_w_h"]
    assert list(features.shape) == expected["image_features"]["shape"]
    assert distance(features[expected["image_feature_rows"]], rows) <= 1e-4


@pytest.mark.parametrize("grid", [32, 40, 64, 80])
def test_position_tables_are_resized_like_the_released_code(
    tiny_model: DeepseekOcr, grid: int
) -> None:
    sam = tiny_model.sam_model
    resized = sam.positions(sam.pos_embed, grid)
    sampled = golden_tensors("vision")[f"sam.abs_pos.{grid}"]
    assert distance(resized[0, ::7, ::5], sampled) <= 1e-6


def test_bfloat16_stays_as_near_as_the_released_code_does(tiny_checkpoint: Path) -> None:
    model = load_model(
        tiny_checkpoint, device=torch.device("cpu"), dtype=torch.bfloat16, attention="sdpa"
    )
    for side, allowed in golden("bf16_deviation")["projector"].items():
        with torch.inference_mode():
            ours = model.vision(make_pixels(int(side), COUNTS[int(side)]).bfloat16()).float()
        theirs = golden_tensors("vision")[f"projector.out.{side}"]
        cosine = torch.cosine_similarity(ours, theirs, dim=-1).min().item()
        assert (ours - theirs).abs().mean().item() <= 1.5 * allowed["mean_abs_diff"]
        assert cosine >= 1 - 2 * (1 - allowed["cosine_min_over_tokens"])


def test_eager_and_fused_attention_see_the_same(
    tiny_model: DeepseekOcr, tiny_checkpoint: Path
) -> None:
    eager = load_model(
        tiny_checkpoint, device=torch.device("cpu"), dtype=torch.float32, attention="eager"
    )
    pixels = make_pixels(512)
    with torch.inference_mode():
        assert distance(eager.vision(pixels), tiny_model.vision(pixels)) <= 1e-5


@pytest.mark.skipif(not INSTALLED, reason="needs triton")
def test_towers_by_kernels_see_what_the_plain_ones_see(tiny_checkpoint: Path) -> None:
    """Small, for Triton's interpreter: a picture within one window of SAM's."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    plain, fused = (
        load_model(tiny_checkpoint, device=device, dtype=torch.float32, attention="sdpa")
        for _ in range(2)
    )
    fused.sam_model.use_kernels()
    fused.vision_model.use_kernels()
    pixels = make_pixels(128, device=device)
    with torch.inference_mode():
        assert distance(fused.vision(pixels), plain.vision(pixels)) <= 1e-5


def test_pixels_are_centred_in_float32() -> None:
    grey = torch.tensor([0, 127, 255], dtype=torch.uint8).expand(1, 1, 1, 3)
    assert normalize(grey, torch.float32).flatten().tolist() == pytest.approx(
        [-1.0, -0.003921568, 1.0], abs=1e-7
    )


def test_a_page_without_tiles_is_rows_and_one_separator(tiny_model: DeepseekOcr) -> None:
    views = page(1, side=128)
    [features] = VisionRunner(tiny_model).encode([views])
    pixels = normalize(views.global_view.unsqueeze(0), torch.float32)
    with torch.inference_mode():
        grid = tiny_model.vision(pixels).view(2, 2, -1)
    newline = tiny_model.image_newline
    expected = [grid[0, 0], grid[0, 1], newline, grid[1, 0], grid[1, 1], newline]
    assert torch.equal(features, torch.stack([*expected, tiny_model.view_seperator]))


def test_tiles_are_stitched_before_the_rows_are_cut(tiny_model: DeepseekOcr) -> None:
    views = page(2, side=128, grid=(2, 3), tile=128)
    assert views.tiles is not None
    [features] = VisionRunner(tiny_model).encode([views])
    wide, high, cells = 2, 3, 2
    with torch.inference_mode():
        tiles = tiny_model.vision(normalize(views.tiles, torch.float32)).unflatten(1, (cells, -1))
    rows = []
    for row in range(high * cells):
        for column in range(wide * cells):
            tile = tiles[row // cells * wide + column // cells]
            rows.append(tile[row % cells, column % cells])
        rows.append(tiny_model.image_newline)
    local = torch.stack(rows)
    assert distance(features[: len(local)], local) <= 1e-5
    assert len(features) == len(local) + 2 * 3 + 1
    assert torch.equal(features[-1], tiny_model.view_seperator)


def test_a_page_is_encoded_alike_alone_and_among_others(tiny_model: DeepseekOcr) -> None:
    pages = [
        page(3, side=128, grid=(2, 1)),
        page(4, side=64),
        page(5, side=128),
        page(6, side=192, grid=(1, 3)),
    ]
    together = VisionRunner(tiny_model).encode(pages)
    for views, among_others in zip(pages, together, strict=True):
        [alone] = VisionRunner(tiny_model).encode([views])
        assert distance(alone, among_others) <= 1e-5


def test_many_tiles_take_several_passes(
    tiny_model: DeepseekOcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = page(7, side=128, grid=(3, 3))
    vision = VisionRunner(tiny_model)
    [at_once] = vision.encode([views])
    vision.pass_pixels = 2 * 64 * 64
    [in_passes] = vision.encode([views])
    assert distance(at_once, in_passes) <= 1e-5
