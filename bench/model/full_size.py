"""The model at its released size, synthetic pages, and timing on a GPU.

The 3.34 billion parameters are drawn on the device, so no checkpoint is needed. Speed carries over
to the released weights; the text is meaningless.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file

from bench.pages.synthetic import page_picture
from dsocr.runtime.cache.batch import Chunk
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.kernels.triton_compat import supports_kernels
from dsocr.runtime.layers.attention import usable_attention
from dsocr.runtime.models import unlimited_ocr_spec
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.models.deepseek_ocr2 import DeepseekOcr2
from dsocr.runtime.models.deepseek_ocr2_spec import RELEASED_SPEC
from dsocr.runtime.models.deepseek_ocr_spec import VIEWS, parse
from dsocr.runtime.models.registry import read_config
from dsocr.runtime.weights.loader import give_memory
from tests.runtime.goldens import GOLDENS, genuine_tokenizer

MODES = tuple(VIEWS.modes)
PROMPT_TOKENS, IMAGE_TOKENS = 913, 903
"""Of a gundam page with six tiles."""
NUM_PICTURES = 256
"""Different images: as many as pages in flight, at most."""


def random_model(device: torch.device, dtype: torch.dtype, config: RuntimeConfig) -> DeepseekOcr:
    """DeepSeek-OCR v1 at its released size, see `random_weights`."""
    attention = usable_attention(config.attn_impl, device=device, dtype=dtype)
    with torch.device("meta"):
        spec = parse(read_config(GOLDENS / "checkpoint-files"))
        model = DeepseekOcr(spec, attention=attention)
    random_weights(model, device, dtype, config)
    return model


def random_ocr2(device: torch.device, dtype: torch.dtype, config: RuntimeConfig) -> DeepseekOcr2:
    """DeepSeek-OCR-2 at its released size, see `random_weights`."""
    attention = usable_attention(config.attn_impl, device=device, dtype=dtype)
    with torch.device("meta"):
        model = DeepseekOcr2(RELEASED_SPEC, attention=attention)
    random_weights(model, device, dtype, config)
    return model


def random_unlimited(
    device: torch.device, dtype: torch.dtype, config: RuntimeConfig
) -> DeepseekOcr:
    """Unlimited-OCR at its released size, see `random_weights`."""
    attention = usable_attention(config.attn_impl, device=device, dtype=dtype)
    with torch.device("meta"):
        model = DeepseekOcr(unlimited_ocr_spec.RELEASED_SPEC, attention=attention)
    random_weights(model, device, dtype, config)
    return model


def random_weights(
    model: DeepseekOcr | DeepseekOcr2,
    device: torch.device,
    dtype: torch.dtype,
    config: RuntimeConfig,
) -> None:
    """Fills a model on `meta`: matrices of N(0, 0.02), norms of 1. The same values for every dtype,
    but for rounding."""
    give_memory(model, device=device, dtype=dtype, expert_dtype=config.expert_dtype)
    generator = torch.Generator(device).manual_seed(1)
    for name, place in model.checkpoint_tensors():
        numbers = torch.ones(place.shape, dtype=dtype, device=device)
        if len(place.shape) > 1 or not name.endswith("weight"):
            numbers.normal_(0.0, 0.02, generator=generator)
        place.copy_(numbers)
    if config.kernels and supports_kernels(device, dtype):
        model.use_kernels()


def prompts(model: DeepseekOcr, count: int, *, num_blocks: int) -> list[Chunk]:
    """`count` prompts of a gundam page, not cached yet, with scattered blocks of `num_blocks`.
    Their features are random."""
    dice = random.Random(count)
    each = -(-PROMPT_TOKENS // BLOCK_SIZE)
    blocks = dice.sample(range(num_blocks), count * each)
    size = (count, IMAGE_TOKENS, model.spec.decoder.hidden_size)
    features = (torch.randn(size, device=model.device) * 0.05).to(model.dtype)
    return [
        Chunk(
            [dice.randrange(3, 128000) for _ in range(PROMPT_TOKENS)],
            0,
            blocks[number * each : (number + 1) * each],
            features[number],
            range(1, IMAGE_TOKENS + 1),
        )
        for number in range(count)
    ]


def make_pictures(count: int = NUM_PICTURES) -> list[Image.Image]:
    """Pages of 1200 x 1600 pixels with lines of grey words; all different."""
    return [page_picture(number) for number in range(count)]


def write_small_files(folder: Path) -> None:
    """The released configuration and vocabulary."""
    shutil.copy(GOLDENS / "checkpoint-files" / "config.json", folder)
    (folder / "tokenizer.json").write_bytes(genuine_tokenizer())


def write_checkpoint(model: DeepseekOcr, folder: Path) -> None:
    """Writes the model as a released checkpoint: one file, with the tokenizer."""
    write_small_files(folder)
    tensors = {}
    for name, place in model.checkpoint_tensors():
        assert isinstance(place, torch.Tensor), "int8 experts are not written"
        tensors[name] = place.detach().cpu().contiguous()
    save_file(tensors, folder / "model.safetensors")


def last_moe(model: Any) -> Any:
    """The last layer's mixture of experts (`dsocr.runtime.layers.moe.MoE`)."""
    layer: Any = model.decoder.layers[-1]
    return layer.mlp


def median_seconds(work: Callable[[], Any], repeats: int = 15) -> float:
    """Median seconds between two events on the device, after two warm-ups."""
    times = []
    for _ in range(repeats + 2):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return statistics.median(times[2:])


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments. Exits with a message where there is no GPU."""
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error(
            "this measures a CUDA GPU, and torch finds none here (`dsocr bench` needs none)"
        )
    return arguments


def table(lines: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for line in lines for name in line))
    rows = [columns, ["---"] * len(columns)]
    rows += [[str(line.get(name, "")) for name in columns] for line in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
