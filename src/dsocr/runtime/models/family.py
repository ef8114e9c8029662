"""The seam for model families: what the runtime calls on a model, whatever its architecture.

A family is a plain spec (`FamilySpec`, parsed from config.json) and a model (`OcrModel`, an
`nn.Module`). `registry` lists the families. The runtime names none of them elsewhere; `execution`
names a decoder, `DeepseekMoe`, which its kernels compute for any family that has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from PIL.Image import Image
from torch import Tensor, nn

from dsocr.runtime.cache.batch import Batch, PageViews
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.config import AttentionName
from dsocr.runtime.layers.int8 import Destination
from dsocr.runtime.spec import FamilySpec


@dataclass(frozen=True, slots=True)
class ProfileInputs:
    """Inputs that need the most memory, to measure it with before pages arrive."""

    page: PageViews
    """The page with the most image tokens in the default mode."""
    common_sides: tuple[int, ...]
    """Sides of the default mode's views; passes of each get as large as they may."""
    other_sides: tuple[int, ...]
    """Sides of the other modes' views."""
    prompt_tokens: int
    """Length of the most common prompt, image included."""


class OcrModel(Protocol):
    """A model of any family, an `nn.Module`. Constructed as `Model(spec, attention=...)` without
    memory (on `meta`); the loader allocates and fills it.

    `prepare` and `num_image_tokens` run in several threads and use no weights. The other methods
    are called from one thread. None but `logits` synchronizes with the device.
    """

    uses_kernels: bool
    """Whether `use_kernels` was called."""
    ignored_tensors: frozenset[str]
    """Tensors that a checkpoint may have or lack; they are not read."""

    @property
    def spec(self) -> FamilySpec: ...

    @property
    def attention(self) -> AttentionName: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def checkpoint_tensors(self) -> Iterator[tuple[str, Destination]]:
        """The name of every tensor that a checkpoint must have, and the memory it fills."""

    def use_kernels(self) -> None:
        """Uses the fused kernels of the vision towers from now on. Called once, after loading, on a
        device that can run them."""

    def prepare(self, image: Image, mode: str, *, max_tiles: int | None = None) -> PageViews:
        """The views of an upright RGB image in a mode of `spec.views`. `max_tiles` None: the
        family's own."""

    def num_image_tokens(self, views: PageViews) -> int:
        """Placeholders of a page in the prompt: the rows that `arrange` returns."""

    def encode(self, views: Tensor) -> Tensor:
        """Features (B, tokens, hidden) of uint8 views (B, S, S, 3) on the model's device. Depends
        on nothing but shapes and weights, so that it can be captured as a CUDA graph."""

    def arrange(self, features: Sequence[Tensor], page: PageViews) -> Tensor:
        """Image features (N, hidden) of a page in the order of its placeholders, from those of its
        views (tokens, hidden), the global view's first."""

    def forward(self, batch: Batch, cache: KVCache) -> Tensor:
        """Hidden states after the final norm, (T, hidden); fills the cache."""

    def logits(self, hidden: Tensor) -> Tensor:
        """float32 logits (rows, vocabulary) of hidden states (rows, hidden)."""

    def profile_inputs(self, max_tiles: int | None) -> ProfileInputs:
        """Inputs to measure memory with, for pages of at most that many tiles."""

    def progress_modules(self) -> Iterable[nn.Module]:
        """Modules whose forward passes count as progress: layers, each short on a CPU."""
