"""A second family, registered here alone: the runtime serves it through the Protocol."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from dsocr.runtime.assembly import make_runtime
from dsocr.runtime.cache.batch import Batch, PageViews
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.config import AttentionName, RuntimeConfig
from dsocr.runtime.events import Done
from dsocr.runtime.layers.attention import attend_paged
from dsocr.runtime.layers.int8 import Destination
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.family import OcrModel, ProfileInputs
from dsocr.runtime.models.registry import FAMILIES, Family, read_family
from dsocr.runtime.scheduling import preprocess
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.scheduler import Limits
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.spec import CheckpointError, Config, Resolution, ViewSpec
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.check import check_folder
from dsocr.runtime.weights.loader import load_model
from tests.noise import noise
from tests.runtime.goldens import genuine_tokenizer
from tests.runtime.reading import outputs, run

ARCHITECTURE = "ToyForCausalLM"
SIDE, PATCH = 12, 4
NUM_IMAGE_TOKENS = (SIDE // PATCH) ** 2
NUM_HEADS, HEAD_DIM = 2, 4
HIDDEN = NUM_HEADS * HEAD_DIM
VOCABULARY = 128_827
PROMPT = "<image>\nRead."


@dataclass(frozen=True)
class ToyDecoderSpec:
    num_layers: int = 1
    num_heads: int = NUM_HEADS
    head_dim: int = HEAD_DIM
    hidden_size: int = HIDDEN
    max_positions: int = 256


@dataclass(frozen=True)
class ToySpec:
    decoder: ToyDecoderSpec = ToyDecoderSpec()
    views: ViewSpec = ViewSpec(
        modes={"only": Resolution(SIDE, SIDE, False)},
        default_mode="only",
        max_tiles=1,
        untiled_side=SIDE,
        squashed_side=SIDE,
        patch_size=PATCH,
        downsample=1,
        encode_bytes_per_pixel=1,
        encode_pixels_per_prompt_token=1,
        common_prompt_tokens=NUM_IMAGE_TOKENS,
    )


def parse(config: Config) -> ToySpec:
    return ToySpec(ToyDecoderSpec(max_positions=int(config["max_position_embeddings"])))


class ToyModel(nn.Module):
    """One patch is one feature; one layer of attention over the embeddings is the decoder."""

    ignored_tensors = frozenset({"unused"})
    uses_kernels = False

    def __init__(self, spec: ToySpec, *, attention: AttentionName) -> None:
        super().__init__()
        self.spec, self.attention = spec, attention
        self.patches = nn.Linear(PATCH * PATCH * 3, HIDDEN, bias=False)
        self.embeddings = nn.Embedding(VOCABULARY, HIDDEN)

    @property
    def device(self) -> torch.device:
        return self.embeddings.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.embeddings.weight.dtype

    def checkpoint_tensors(self) -> Iterator[tuple[str, Destination]]:
        return self.named_parameters()

    def use_kernels(self) -> None:
        raise AssertionError("a CPU has no kernels")

    def prepare(self, image: Image.Image, mode: str, *, max_tiles: int | None = None) -> PageViews:
        views = self.spec.views
        return preprocess.prepare(image, views.modes[mode], views, max_tiles=max_tiles)

    def num_image_tokens(self, views: PageViews) -> int:
        return views.num_pixels // PATCH**2

    def encode(self, views: Tensor) -> Tensor:
        patches = views.unflatten(2, (-1, PATCH)).unflatten(1, (-1, PATCH))
        patches = patches.permute(0, 1, 3, 2, 4, 5).flatten(3).flatten(1, 2)
        return self.patches(patches.to(self.dtype) / 255)

    def arrange(self, features: Sequence[Tensor], page: PageViews) -> Tensor:
        assert len(features) == 1 and page.tiles is None
        return features[0]

    @torch.inference_mode()
    def forward(self, batch: Batch, cache: KVCache) -> Tensor:
        x = self.embeddings(batch.input_ids)
        if batch.features is not None and batch.feature_rows is not None:
            x[batch.feature_rows] = batch.features
        heads = x.unflatten(-1, (NUM_HEADS, HEAD_DIM))
        cache.write(0, heads, heads, batch.slots)
        return attend_paged(heads, cache, 0, batch, kind=self.attention).flatten(-2)

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embeddings.weight)

    def profile_inputs(self, max_tiles: int | None) -> ProfileInputs:
        page = PageViews(preprocess.gray_view(SIDE))
        return ProfileInputs(page, (SIDE,), (), NUM_IMAGE_TOKENS)

    def progress_modules(self) -> Iterable[nn.Module]:
        return [self.patches]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of the toy family, which is registered."""
    monkeypatch.setitem(
        FAMILIES, ARCHITECTURE, Family("Toy", parse, f"{__name__}:{ToyModel.__name__}")
    )
    config = {"architectures": [ARCHITECTURE], "max_position_embeddings": 200}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.json").write_bytes(genuine_tokenizer())
    numbers = torch.Generator().manual_seed(1)
    shapes = {
        "patches.weight": (HIDDEN, PATCH * PATCH * 3),
        "embeddings.weight": (VOCABULARY, HIDDEN),
        "unused": (2,),
    }
    tensors = {name: torch.randn(shape, generator=numbers) for name, shape in shapes.items()}
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path


@pytest.fixture
def model(folder: Path) -> OcrModel:
    return load_model(
        folder, device=torch.device("cpu"), dtype=torch.float32, attention="flash_attention_2"
    )


def page(number: int) -> Request:
    image = noise(SIDE + number, SIDE, seed=number)
    params = SamplingParams(max_tokens=8 + number, detect_repetition=False)
    return Request(number, image, PROMPT, "only", params)


@torch.inference_mode()
def greedy(model: OcrModel, tokenizer: Tokenizer, request: Request) -> list[int]:
    """The tokens of a page without cache, batch or scheduler."""
    assert isinstance(model, ToyModel) and isinstance(request.image, Image.Image)
    views = model.prepare(request.image, request.mode)
    text = tokenizer.encode(PROMPT.removeprefix("<image>"))
    tail = model.embeddings(torch.tensor(text))
    bos = model.embeddings(torch.tensor([tokenizer.special.bos]))
    x = torch.cat((bos, model.encode(views.global_view.unsqueeze(0))[0], tail))
    tokens: list[int] = []
    while len(tokens) < (request.params.max_tokens or 0):
        heads = x.unflatten(-1, (NUM_HEADS, HEAD_DIM)).transpose(0, 1)
        hidden = F.scaled_dot_product_attention(heads[:, -1:], heads, heads).flatten()
        token = model.logits(hidden).argmax()
        if int(token) == tokenizer.special.eos:
            break
        tokens.append(int(token))
        x = torch.cat((x, model.embeddings(token.unsqueeze(0))))
    return tokens


def test_pages_of_another_family_are_decoded_together_as_each_alone(
    folder: Path, model: OcrModel
) -> None:
    tokenizer = Tokenizer(folder)
    runtime, plan = make_runtime(model, tokenizer, RuntimeConfig(model_path=folder))
    pages = [page(number) for number in range(6)]
    for one in pages:
        runtime.submit(one)

    events = run(runtime)

    done = [event for event in events if isinstance(event, Done)]
    assert {one.num_image_tokens for one in done} == {NUM_IMAGE_TOKENS}
    tokens = outputs(events)
    assert len(tokens) == 6 and plan.cache_tokens == 2 * 200
    assert tokens == {one.request_id: greedy(model, tokenizer, one) for one in pages}
    assert len({tuple(one[:8]) for one in tokens.values()}) > 1, "the images do not count"


def test_the_family_s_cost_of_encoding_reaches_the_scheduler(folder: Path, model: OcrModel) -> None:
    runtime: Runtime = make_runtime(model, Tokenizer(folder), RuntimeConfig(model_path=folder))[0]
    assert runtime.scheduler.limits.pixels_per_token == 1 != Limits().pixels_per_token


def test_a_folder_is_checked_as_its_family(folder: Path) -> None:
    assert {one.name: one.state for one in check_folder(folder)} == {
        "tensors": "ok",
        "tokenizer": "ok",
    }
    (folder / "model.safetensors").unlink()
    save_file({"patches.weight": torch.zeros(2, 2)}, folder / "model.safetensors")
    [tensors, _] = check_folder(folder)
    assert tensors.state == "bad" and "embeddings.weight" in tensors.detail


def test_config_json_selects_the_family(folder: Path) -> None:
    family, spec = read_family(folder)
    assert (family, spec.decoder.max_positions) == (FAMILIES[ARCHITECTURE], 200)

    (folder / "config.json").write_text(json.dumps({"architectures": ["Another"]}))
    with pytest.raises(CheckpointError, match=f"Another.*only {' or '.join(FAMILIES)} is"):
        read_family(folder)

    both = {"architectures": [*FAMILIES]}
    (folder / "config.json").write_text(json.dumps(both))
    with pytest.raises(CheckpointError, match="not supported"):
        read_family(folder)
