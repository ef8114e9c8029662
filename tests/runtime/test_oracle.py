"""A second oracle: transformers' Unlimited-OCR, whose towers and decoder are of the same family.

It reads the same checkpoint by its own table of names, so that neither our goldens' origin nor our
reading of the names is taken on trust. The sizes are none of the goldens'.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dsocr.runtime.cache.batch import PageViews
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.kernels.elementwise import normalize
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.models.registry import parse_config
from dsocr.runtime.models.unlimited_ocr_spec import ARCHITECTURE
from dsocr.runtime.weights.loader import load_model
from tests.runtime.stages import Reader, decoder_modules, distance, vision_modules, watching

CONFIG: dict[str, Any] = {
    "vision_config": {
        "width": {
            "sam_vit_b": {
                "layers": 3,
                "width": 40,
                "heads": 2,
                "global_attn_indexes": [1],
                "downsample_channels": [24, 56],
            },
            "clip-l-14-224": {
                "layers": 2,
                "width": 56,
                "heads": 4,
                "image_size": 224,
                "patch_size": 14,
            },
        }
    },
    "projector_config": {"input_dim": 112},
    "language_config": {
        "vocab_size": 500,
        "hidden_size": 72,
        "intermediate_size": 100,
        "num_hidden_layers": 3,
        "num_attention_heads": 3,
        "num_key_value_heads": 3,
        "first_k_dense_replace": 1,
        "n_routed_experts": 12,
        "num_experts_per_tok": 4,
        "n_shared_experts": 2,
        "moe_intermediate_size": 20,
        "max_position_embeddings": 1024,
        "bos_token_id": 0,
        "eos_token_id": 1,
    },
}
IDS = torch.randint(0, 500, (70,), generator=torch.Generator().manual_seed(3)).tolist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oracle")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    random = torch.Generator().manual_seed(5)
    with torch.device("meta"):
        wanted = dict(DeepseekOcr(parse_config(CONFIG), attention="sdpa").checkpoint_tensors())

    def weights(shape: torch.Size) -> Tensor:
        """Matrices keep their input's size; norms, biases and tables are small."""
        scale = 0.3 if len(shape) == 1 else shape[1:].numel() ** -0.5
        return torch.randn(shape, generator=random) * scale

    tensors = {name: weights(tensor.shape) for name, tensor in wanted.items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def ours(folder: Path) -> DeepseekOcr:
    return load_model(folder, device=torch.device("cpu"), dtype=torch.float32, attention="sdpa")


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    """Its attention window is as long as the context, so that it is plain causal as v1's."""
    return their_model(folder, window=1024)


def their_model(folder: Path, *, window: int) -> Any:
    transformers = pytest.importorskip("transformers", minversion="5.23")
    transformers.utils.logging.disable_progress_bar()
    sam = CONFIG["vision_config"]["width"]["sam_vit_b"]
    clip = CONFIG["vision_config"]["width"]["clip-l-14-224"]
    config = transformers.UnlimitedOcrConfig(
        vision_config={
            "sam_config": {
                "hidden_size": sam["width"],
                "num_hidden_layers": sam["layers"],
                "num_attention_heads": sam["heads"],
                "global_attn_indexes": sam["global_attn_indexes"],
                "downsample_channels": sam["downsample_channels"],
                "mlp_dim": 4 * sam["width"],
            },
            "encoder_config": {
                "hidden_size": clip["width"],
                "num_hidden_layers": clip["layers"],
                "num_attention_heads": clip["heads"],
                "intermediate_size": 4 * clip["width"],
            },
        },
        text_config={**CONFIG["language_config"], "sliding_window": window},
    )
    model, loading = transformers.UnlimitedOcrForConditionalGeneration.from_pretrained(
        folder, config=config, dtype=torch.float32, output_loading_info=True
    )
    assert not any(loading.values())
    return model


def noise(*shape: int) -> Tensor:
    random = torch.Generator().manual_seed(7)
    return torch.randint(0, 256, shape, generator=random, dtype=torch.uint8)


@pytest.mark.parametrize("side", [320, 640, 1024])
def test_towers_agree_stage_by_stage(ours: DeepseekOcr, theirs: Any, side: int) -> None:
    sam, clip = theirs.model.vision_tower.sam_encoder, theirs.model.vision_tower.vision_encoder
    same = {
        "sam.patch_embed_nhwc": sam.patch_embed,
        **{f"sam.block{i}_nhwc": layer for i, layer in enumerate(sam.layers)},
        "sam.neck_nchw": sam.neck,
        "clip.embeddings": clip.embeddings,
        "clip.pre_layrnorm": clip.pre_layrnorm,
        **{f"clip.layer{i}": layer for i, layer in enumerate(clip.encoder.layers)},
        "projector.out": theirs.model.multi_modal_projector,
    }
    pixels = normalize(noise(1, side, side, 3), torch.float32)
    with torch.inference_mode(), watching(vision_modules(ours)) as seen, watching(same) as expected:
        ours.vision(pixels)
        theirs.model.multi_modal_projector(theirs.model.vision_tower(pixels).last_hidden_state)
    far = {name: distance(seen[name], _first(out)) for name, out in expected.items()}
    assert len(far) == 10
    assert max(far.values()) <= 1e-4, far


def test_a_tiled_page_is_laid_out_alike(ours: DeepseekOcr, theirs: Any) -> None:
    views = PageViews(noise(192, 192, 3), noise(6, 128, 128, 3), (3, 2))
    assert views.tiles is not None
    [features] = VisionRunner(ours).encode([views])
    with torch.inference_mode():
        [expected] = theirs.get_image_features(
            normalize(views.global_view.unsqueeze(0), torch.float32),
            normalize(views.tiles, torch.float32),
            [6],
            [[3, 2]],
        ).pooler_output
    assert distance(features, expected) <= 1e-4


def test_decoders_agree_layer_by_layer(ours: DeepseekOcr, theirs: Any) -> None:
    reader = Reader(ours)
    with watching(decoder_modules(ours)) as seen:
        hidden = reader.hidden(reader.chunk([], IDS))
    with torch.inference_mode():
        expected = theirs(input_ids=torch.tensor([IDS]), output_hidden_states=True)
    states = [seen[f"hidden_states.{i}"] for i in range(4)]
    far = [distance(a, b[0]) for a, b in zip(states, expected.hidden_states, strict=True)]
    assert max(far) <= 1e-4, far
    assert distance(ours.logits(hidden), expected.logits[0]) <= 1e-4


def test_greedy_tokens_agree(ours: DeepseekOcr, theirs: Any) -> None:
    output = Reader(ours).greedy(IDS, 30)
    ids = torch.tensor([IDS + output[:-1]])
    with torch.inference_mode():
        expected = theirs(input_ids=ids).logits[0, len(IDS) - 1 :].argmax(-1)
    assert output == expected.tolist()


def test_a_window_leaves_both_the_prompt_and_the_same_output(folder: Path, tmp_path: Path) -> None:
    """Their cache drops what lies behind the window, after the first call, which is the prompt."""
    window, prompt, output = 8, IDS[:20], IDS[20:]
    config = CONFIG | {"architectures": [ARCHITECTURE], "sliding_window": window}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    model = load_model(tmp_path, device=torch.device("cpu"), dtype=torch.float32, attention="sdpa")
    theirs = their_model(folder, window=window)
    expected = []
    with torch.inference_mode():
        out = theirs(input_ids=torch.tensor([prompt]), use_cache=True)
        for token in output:
            out = theirs(
                input_ids=torch.tensor([[token]]),
                past_key_values=out.past_key_values,
                use_cache=True,
            )
            expected.append(out.logits[0, -1])

    reader = Reader(model)
    hidden = reader.hidden(reader.chunk([], IDS, num_prompt=len(prompt)))

    assert distance(model.logits(hidden[len(prompt) :]), torch.stack(expected)) <= 1e-4


def _first(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output
