"""A stand-in for the device, for `bench.host`: the runtime with a model that costs nothing.

Pages are taken in, scheduled, written down and ended as they are with kernels and graphs; tokens
are those of prose.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from bench.texts.normal import prose
from dsocr.process.machine import num_cores
from dsocr.runtime.assembly import make_executor
from dsocr.runtime.cache.batch import Batch, PageViews
from dsocr.runtime.execution.decode_graph import DecodeState
from dsocr.runtime.execution.graph_runner import GraphRunner
from dsocr.runtime.kernels.repetition_flags import MAY_REPEAT
from dsocr.runtime.kernels.sampling import FULL, LENGTH, LIMIT
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr, num_image_tokens
from dsocr.runtime.models.deepseek_ocr_spec import parse
from dsocr.runtime.models.registry import read_config
from dsocr.runtime.scheduling import preprocess
from dsocr.runtime.scheduling.inputs import InputProcessor
from dsocr.runtime.scheduling.scheduler import Limits
from dsocr.runtime.text.repetition import token_kinds
from dsocr.runtime.text.tokenizer import Tokenizer

PREFILL_TOKENS = 8192
"""Of a step, at most: as on a large GPU."""
MAX_TILES = 6
CLOCK = defaultdict[str, float](float)
"""CPU seconds by section, of this process; steps of the device and their rows."""


@contextmanager
def timed(section: str, clock: dict[str, float] = CLOCK) -> Iterator[None]:
    """Adds this thread's CPU time to the section, and takes it from the one that it is within."""
    began, outer = time.thread_time(), getattr(_OPEN, "inner", 0.0)
    _OPEN.inner = 0.0
    try:
        yield
    finally:
        taken = time.thread_time() - began
        clock[section] += taken - _OPEN.inner
        _OPEN.inner = outer + taken


_OPEN = threading.local()


def time_calls(
    stack: ExitStack, owner: Any, name: str, section: str, clock: dict[str, float] = CLOCK
) -> None:
    """Times the calls of a method, until the stack is closed."""
    method: Callable[..., Any] = getattr(owner, name)

    def within(*arguments: Any, **named: Any) -> Any:
        with timed(section, clock):
            return method(*arguments, **named)

    setattr(owner, name, within)
    stack.callback(setattr, owner, name, method)


class StandIn(torch.nn.Module):
    """A model whose towers and layers compute nothing; it prepares real pages."""

    ignored_tensors = frozenset[str]()
    uses_kernels = False
    attention = "eager"
    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, folder: Path) -> None:
        super().__init__()
        spec = parse(read_config(folder))
        tiny = replace(spec.decoder, num_layers=1, hidden_size=16, num_heads=1)
        self.spec = replace(spec, decoder=tiny)
        self.image_newline = self.view_seperator = torch.zeros(tiny.hidden_size)

    @cache  # noqa: B019
    def _views(self, size: tuple[int, int], mode: str) -> PageViews:
        views, image = self.spec.views, Image.new("RGB", size)
        return preprocess.prepare(image, views.modes[mode], views, max_tiles=MAX_TILES)

    def prepare(self, image: Image.Image, mode: str, *, max_tiles: int | None = None) -> PageViews:
        """Those of another page of this size: preparing must not hold the loop up on few cores."""
        return self._views(image.size, mode)

    def num_image_tokens(self, views: PageViews) -> int:
        return num_image_tokens(views, self.spec.views)

    def encode(self, views: Tensor) -> Tensor:
        side = self.spec.views.side_features(views.shape[1])
        return torch.zeros(len(views), side * side, self.spec.decoder.hidden_size)

    arrange = DeepseekOcr.arrange

    def progress_modules(self) -> list[torch.nn.Module]:
        return []


class InstantSteps:
    """Steps that cost the host nothing, and take `seconds` each. Every page writes prose, each from
    a place of its own, until its limit; `alike`: all tokens are flagged as repeating."""

    def __init__(self, tokens: list[int], num_rows: int, *, alike: bool, seconds: float) -> None:
        self._tokens = torch.tensor(tokens, dtype=torch.int32)
        self._logits = torch.zeros(num_rows, 1)
        self._flags, self._seconds = MAY_REPEAT if alike else 0, seconds

    def prefill(self, batch: Batch) -> Tensor:
        return torch.zeros(batch.num_tokens, 1)

    def scores(self, rows: Tensor, state: DecodeState) -> Tensor:
        time.sleep(self._seconds)
        return self._logits[: len(rows)]

    def head(self, hidden: Tensor) -> Tensor:
        return self._logits[: len(hidden)]

    def sample(self, logits: Tensor, state: DecodeState, rows: Tensor) -> Tensor:
        with timed("device"):
            CLOCK["steps"] += 1
            CLOCK["rows"] += len(rows)
            rows = rows.long().clamp_min(0)
            lengths = state.params[rows, LENGTH]
            flags = (lengths + 1 >= state.params[rows, LIMIT]) * FULL + self._flags
            tokens = self._tokens[(rows * 977 + lengths) % len(self._tokens)]
            state.params[rows, LENGTH] = lengths + 1
            logprobs = torch.full((len(rows),), -0.12345).view(torch.int32)
            return torch.stack((tokens, logprobs, flags.int()))


def make_runtime(folder: Path, settings: dict[str, Any]) -> Runtime:
    """The runtime for kernels and graphs, with a stand-in for model and device."""
    model, tokenizer = StandIn(folder), Tokenizer(folder)
    tokenizer.special = replace(tokenizer.special, eos=-1)
    dice, kinds, slots = random.Random(0), token_kinds(tokenizer), settings["slots"]
    text = tokenizer.encode("\n".join(prose(dice) for _ in range(400)))
    steps = InstantSteps(text, slots, alike=settings["alike"], seconds=settings["seconds"])
    runner = GraphRunner(
        model,  # type: ignore[arg-type]
        num_tokens=slots * 2048,
        max_num_seqs=slots,
        special=tokenizer.special,
        digits=kinds.digits,
        vision=SimpleNamespace(encode=partial(_encode, model), run_idle_work=bool),  # type: ignore
        make_steps=lambda *_: (steps.prefill, steps),
    )
    limits = Limits(max_num_seqs=slots, max_prefill_tokens=PREFILL_TOKENS, prefill_share=0.25)
    processor = InputProcessor(model, tokenizer, kinds)  # type: ignore[arg-type]
    executor = make_executor(torch.device("cpu"), num_cores())
    return Runtime(runner, processor, limits=limits, lookahead=1, executor=executor)


def _encode(model: StandIn, pages: list[PageViews]) -> list[Tensor]:
    hidden = model.spec.decoder.hidden_size
    return [torch.zeros(model.num_image_tokens(page), hidden) for page in pages]
