"""Drafts on a CUDA device, by kernels and graphs: in float32 they change no token. Run with a GPU
only."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from dsocr.runtime.assembly import make_runtime
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import choose_device
from dsocr.runtime.loop import Runtime
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.loader import load_model
from dsocr.types import DraftsName, NoRepeat
from tests.runtime.reading import outputs, run

pytestmark = pytest.mark.gpu

PROMPTS = [f"page {number} of the report" for number in range(6)]
RULES = (None, NoRepeat(3, 20), NoRepeat(4))


def load_runtime(checkpoint: Path, tokenizer: Tokenizer, drafts: DraftsName) -> Runtime:
    config = RuntimeConfig(max_num_seqs=4, cache_tokens=1, drafts=drafts)
    model = load_model(
        checkpoint,
        device=choose_device("cuda"),
        dtype=torch.float32,
        attention=config.attn_impl,
        kernels=True,
    )
    runtime = make_runtime(model, tokenizer, config)[0]
    while runtime.run_idle_work():
        pass
    return runtime


def read(runtime: Runtime, layers: list[list[str]], numbers: range) -> dict[int, list[int]]:
    image = Image.new("RGB", (1, 1))
    for number in numbers:
        params = SamplingParams(max_tokens=90 - number, no_repeat=RULES[number % len(RULES)])
        layer = tuple(layers[number])
        runtime.submit(Request(number, image, PROMPTS[number], "tiny", params, layer))
    return outputs(run(runtime))


def test_float32_tokens_are_the_same_with_drafts(
    tiny_checkpoint: Path, tokenizer: Tokenizer
) -> None:
    """Together and one by one; layers with the whole text, with half of it, of others, and none."""
    plain = load_runtime(tiny_checkpoint, tokenizer, "off")
    written = read(plain, [[] for _ in PROMPTS], range(len(PROMPTS)))
    texts = [tokenizer.decode(written[number]) for number in range(len(PROMPTS))]
    whole = [[text] for text in texts]
    mixed = [whole[0], [texts[1][:60]], whole[0], [], whole[4], [texts[5][::-1]]]

    runtime = load_runtime(tiny_checkpoint, tokenizer, "fast")

    for layers in (whole, mixed):
        assert read(runtime, layers, range(len(PROMPTS))) == written
    for number in range(len(PROMPTS)):
        assert read(runtime, whole, range(number, number + 1)) == {number: written[number]}
    assert runtime.load.accepted > 100
