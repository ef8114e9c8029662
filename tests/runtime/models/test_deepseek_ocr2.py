"""DeepSeek-OCR-2 from images to tokens, against the released code's values (spec 10)."""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import PIL
import pytest
import torch
from torch import Tensor

from dsocr.runtime.cache.batch import PageViews
from dsocr.runtime.events import Done
from dsocr.runtime.models.deepseek_ocr2 import DeepseekOcr2
from dsocr.runtime.models.deepseek_ocr2_spec import (
    ARCHITECTURE,
    RELEASED_SPEC,
    VIEWS,
    one_of_each_layer,
)
from dsocr.runtime.models.registry import FAMILIES, parse_config, read_config, read_family
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.preprocess import prepare
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.spec import CheckpointError
from dsocr.runtime.text.prompt import prompt_ids
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.check import check_folder
from dsocr.runtime.weights.loader import check_checkpoint, empty_model
from dsocr.types import NoRepeat
from tests.runtime.goldens import golden_json
from tests.runtime.ocr2 import FOLDER, golden, golden_tensors, ocr2_page
from tests.runtime.reading import outputs, plain_runtime, run
from tests.runtime.stages import Reader, decoder_modules, deviation, distance, watching

pytestmark = pytest.mark.usefixtures("one_thread")

GUARDS = {"hf_no_repeat_20": NoRepeat(20), "window_3_12": NoRepeat(3, 12)}
CASES = golden("e2e")["cases"]
PREPROCESS = golden_json("ocr2/preprocess.json.gz")
OLDER_PILLOW = {
    case["image"]: case
    for case in golden_json("ocr2/preprocess_pillow_lt13_only_differences.json.gz")["cases"]
}
OLD_PILLOW = int(PIL.__version__.partition(".")[0]) < 13


QUICK = (1, 3, 7, 9)
"""Padded, too small for tiles, tiled, squashed."""
NUMBERS = [
    pytest.param(
        number,
        id=f"{case['image']}-{case['mode']}",
        marks=() if number in QUICK else pytest.mark.slow,
    )
    for number, case in enumerate(CASES)
]
Pages = tuple[dict[int, list[int]], list[Tensor]]
"""Tokens of each request, features of each page."""


@pytest.fixture(scope="module")
def pages_with(ocr2_model: DeepseekOcr2, tokenizer: Tokenizer) -> Callable[[int], Pages]:
    """The reference pages that are read together with that one."""

    @cache
    def together(numbers: tuple[int, ...]) -> Pages:
        return read_together(ocr2_model, tokenizer, numbers)

    slow = tuple(number for number in range(len(CASES)) if number not in QUICK)
    return lambda number: together(QUICK if number in QUICK else slow)


def read_together(model: DeepseekOcr2, tokenizer: Tokenizer, numbers: Iterable[int]) -> Pages:
    """Request 2 n + g is page n with the g-th guard. A view is encoded once."""
    features: list[Tensor] = []
    encoded: dict[bytes, Tensor] = {}
    arrange, encode = model.arrange, model.encode

    def arrange_recorded(views: Sequence[Tensor], page: PageViews) -> Tensor:
        features.append(arrange(views, page))
        return features[-1]

    def encode_once(views: Tensor) -> Tensor:
        keys = [hashlib.sha256(view.numpy().tobytes()).digest() for view in views]
        for key, view in zip(keys, views, strict=True):
            if key not in encoded:
                encoded[key] = encode(view[None])[0]
        return torch.stack([encoded[key] for key in keys])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "arrange", arrange_recorded)
        patch.setattr(model, "encode", encode_once)
        runtime = plain_runtime(model, tokenizer)
        for number in numbers:
            case = CASES[number]
            for guard, (name, no_repeat) in enumerate(GUARDS.items()):
                params = SamplingParams(
                    max_tokens=case[name]["max_new_tokens"], no_repeat=no_repeat
                )
                image = ocr2_page(case["image"])
                request = Request(2 * number + guard, image, case["prompt"], case["mode"], params)
                runtime.submit(request)
        events = run(runtime)
    for one in events:
        if isinstance(one, Done):
            assert one.num_prompt_tokens == CASES[one.request_id // 2]["n_input_ids"]
    return outputs(events), features


@pytest.mark.parametrize("number", NUMBERS)
def test_pages_read_together_become_the_released_codes_tokens(
    pages_with: Callable[[int], Pages], number: int
) -> None:
    tokens_of, _ = pages_with(number)
    for guard, name in enumerate(GUARDS):
        expected, tokens = CASES[number][name], tokens_of[2 * number + guard]
        safe = expected["safe_prefix_len"]
        assert tokens[:safe] == expected["output_ids"][:safe]
        assert len(tokens) == expected["max_new_tokens"] or safe < expected["max_new_tokens"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_pages_features_agree_with_the_released_code(
    pages_with: Callable[[int], Pages], number: int
) -> None:
    case = CASES[number]
    _, features = pages_with(number)
    nearest = min(features, key=lambda one: deviation(one, case["image_features"]))
    rows = golden_tensors("e2e")[f"{case['tensor_prefix']}.image_feature_rows"]
    assert deviation(nearest, case["image_features"]) <= 1e-4
    assert distance(nearest[case["image_feature_rows"]], rows) <= 1e-4


def sha256(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def expected_views(case: dict[str, Any], source: str) -> dict[str, Any]:
    values = dict(case[source])
    if OLD_PILLOW:
        values |= OLDER_PILLOW.get(case["image"], {}).get(source, {})
    return values


def assert_views_are(views: PageViews, wanted: dict[str, Any], model: DeepseekOcr2) -> None:
    assert list(views.grid) == wanted["grid_w_h"]
    assert model.num_image_tokens(views) == wanted["n_image_tokens"]
    assert sha256(views.global_view) == wanted["global"]["sha256_uint8_nhwc"]
    if wanted["local"] is None:
        assert views.tiles is None
    else:
        assert views.tiles is not None
        assert sha256(views.tiles) == wanted["local"]["sha256_uint8_nhwc"]


@pytest.mark.parametrize("case", PREPROCESS["cases"], ids=lambda case: case["image"])
def test_every_mode_gives_the_released_codes_bytes_and_ids(
    ocr2_model: DeepseekOcr2, tokenizer: Tokenizer, case: dict[str, Any]
) -> None:
    """And those of the authors' scripts; without cropping these use another size, `base_size`."""
    image = ocr2_page(case["image"])
    digest = hashlib.sha256(image.tobytes()).hexdigest()
    assert digest == case["sha256_rgb_after_exif"], "the test image itself"
    scripts = expected_views(case, "vllm_script")
    for mode, wanted in expected_views(case, "hf").items():
        views = ocr2_model.prepare(image, mode)
        assert_views_are(views, wanted, ocr2_model)
        assert_views_are(views, scripts["gundam_max6" if mode == "gundam" else mode], ocr2_model)
        ids = prompt_ids(tokenizer, PREPROCESS["prompt"], num_image_tokens=wanted["n_image_tokens"])
        packed = struct.pack(f"<{len(ids)}q", *ids)
        assert hashlib.sha256(packed).hexdigest() == wanted["sha256_input_ids_int64le"]


def test_no_setting_gives_a_page_more_than_six_tiles() -> None:
    image = ocr2_page("xor_700x4000.png")
    views = prepare(image, VIEWS.default, VIEWS, max_tiles=9)
    assert views.grid == (1, 6)
    assert prepare(image, VIEWS.default, VIEWS, max_tiles=4).grid == (1, 4)


PROMPTS = golden_json("ocr2/prompts.json")["prompts"]


@pytest.mark.parametrize("case", PROMPTS, ids=lambda case: ascii(case["prompt"])[:40])
def test_prompts_are_laid_out_as_released(tokenizer: Tokenizer, case: dict[str, Any]) -> None:
    count, image = case["n_image_tokens"], tokenizer.special.image
    expected = [
        one
        for token in case["hf_layout"]
        for one in ([image] * count if token == "IMAGE_TOKENS" else [token])
    ]
    assert prompt_ids(tokenizer, case["prompt"], num_image_tokens=count) == expected


def test_the_decoder_agrees_with_the_released_code(ocr2_model: DeepseekOcr2) -> None:
    wanted, tensors, reader = golden("decoder"), golden_tensors("decoder"), Reader(ocr2_model)
    with watching(decoder_modules(ocr2_model)) as seen:
        logits = ocr2_model.logits(reader.hidden(reader.chunk([], wanted["input_ids"])))
    assert len(seen) == 4
    assert all(distance(state, tensors[name]) <= 1e-4 for name, state in seen.items())
    columns = logits[:, wanted["logit_sample_columns"]]
    assert distance(columns, tensors["logits.sampled_columns"]) <= 1e-4
    assert distance(logits[-1], tensors["logits.last_position"]) <= 1e-4
    top = [row["ids"] for row in wanted["per_position_top10"]]
    assert logits.topk(10).indices.tolist() == top
    plain = wanted["generations"][0]
    assert reader.greedy(wanted["input_ids"], plain["max_new_tokens"]) == plain["output_ids"]


def test_the_released_files_have_the_names_and_shapes_of_the_model() -> None:
    full = golden_json("ocr2/full.json.gz")
    index = json.loads(gzip.decompress((FOLDER / "model.safetensors.index.json.gz").read_bytes()))
    family = FAMILIES[ARCHITECTURE]
    model = empty_model(family, RELEASED_SPEC, "sdpa")
    wanted = {name: list(place.shape) for name, place in model.checkpoint_tensors()}
    assert wanted.keys() == index["weight_map"].keys()
    assert len(wanted) == full["n_tensors"]
    assert {name: wanted[name] for name in full["shapes"]} == full["shapes"]
    assert sum(torch.Size(shape).numel() for shape in wanted.values()) == full["n_parameters"]


def test_the_released_config_is_the_known_spec() -> None:
    assert parse_config(read_config(FOLDER)) == RELEASED_SPEC
    short = one_of_each_layer(RELEASED_SPEC)
    assert (short.sam.num_layers, short.encoder.num_layers, short.decoder.num_layers) == (2, 1, 2)


@pytest.mark.parametrize(
    "architecture",
    [
        "DeepseekOCR3ForCausalLM",
        "Qwen2VLForConditionalGeneration",
    ],
)
def test_other_classes_are_refused_by_name(tmp_path: Path, architecture: str) -> None:
    config = read_config(FOLDER) | {"architectures": [architecture]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=f"{architecture}.*{ARCHITECTURE}"):
        read_family(tmp_path)


def test_a_config_of_v1_under_this_name_is_refused(tmp_path: Path) -> None:
    config = golden_json("checkpoint-files/config.json") | {"architectures": [ARCHITECTURE]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="lacks 'qwen2-0-5b'"):
        read_family(tmp_path)


def test_a_folder_is_checked_as_its_family(ocr2_checkpoint: Path) -> None:
    results = {one.name: one for one in check_folder(ocr2_checkpoint)}
    assert {name: one.state for name, one in results.items()} == {
        "tensors": "ok",
        "tokenizer": "ok",
        "pixels": "ok",
    }
    assert "189 in 1 files" in results["tensors"].detail
    assert check_checkpoint(ocr2_checkpoint).problems == ""
