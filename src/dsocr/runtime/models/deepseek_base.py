"""What the DeepSeek-OCR models have in common: the decoder, the projector, names of tensors, views.

A model adds its towers, the order of its image tokens, and the modules whose passes are progress.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor, nn

from dsocr.runtime.cache.batch import Batch, PageViews
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.config import AttentionName
from dsocr.runtime.kernels.elementwise import normalize, normalize_fused
from dsocr.runtime.layers.int8 import Destination
from dsocr.runtime.layers.moe import Experts
from dsocr.runtime.models.deepseek_moe import DeepseekMoe
from dsocr.runtime.models.family import ProfileInputs
from dsocr.runtime.scheduling import preprocess
from dsocr.runtime.spec import ViewSpec


class Projector(nn.Module):
    """Vision channels to the decoder's width: one linear layer, no activation (spec 2.3)."""

    def __init__(self, width: int, hidden_size: int) -> None:
        super().__init__()
        self.layers = nn.Linear(width, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class DeepseekBase(nn.Module):
    """The methods of an `OcrModel` that do not depend on the towers; `models.family` describes
    them."""

    views: ViewSpec
    attention: AttentionName
    decoder: DeepseekMoe
    lm_head: nn.Linear
    view_seperator: nn.Parameter  # the checkpoint's spelling
    uses_kernels = False
    stacked: tuple[type[nn.Module], ...] = (Experts,)
    """Modules that hold several tensors of the checkpoint as one; they list the parts."""

    @property
    def device(self) -> torch.device:
        return self.view_seperator.device

    @property
    def dtype(self) -> torch.dtype:
        return self.view_seperator.dtype

    def checkpoint_tensors(self) -> Iterator[tuple[str, Destination]]:
        """Every tensor a checkpoint must have (spec 1.2), and the memory it fills."""
        for path, module in self.named_modules():
            for name, tensor in self._own_tensors(module):
                full = f"{path}.{name}".removeprefix("decoder.").lstrip(".")
                yield full if full.startswith("lm_head.") else f"model.{full}", tensor

    def _own_tensors(self, module: nn.Module) -> Iterator[tuple[str, Destination]]:
        """A module's parameters by the checkpoint's names; stacked ones are taken apart."""
        if isinstance(module, self.stacked):
            joined: Any = module
            parts: Iterator[tuple[str, Destination]] = joined.checkpoint_tensors()
            return parts
        return module.named_parameters(recurse=False)

    def prepare(self, image: Image, mode: str, *, max_tiles: int | None = None) -> PageViews:
        return preprocess.prepare(image, self.views.modes[mode], self.views, max_tiles=max_tiles)

    def encode(self, views: Tensor) -> Tensor:
        """uint8 views (B, S, S, 3) to features (B, m*m, hidden), m = S/64."""
        to_pixels = normalize_fused if self.uses_kernels else normalize
        return self.vision(to_pixels(views, self.dtype))

    def vision(self, pixels: Tensor) -> Tensor:
        """Normalized pixels (B, 3, S, S) to projected features (B, m*m, hidden)."""
        raise NotImplementedError

    @torch.inference_mode()
    def forward(self, batch: Batch, cache: KVCache) -> Tensor:
        """Hidden states after the final norm, (T, hidden); fills the cache (spec 5)."""
        return self.decoder(batch, cache)

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """float32 logits of every token id, (rows, vocabulary)."""
        return self.lm_head(hidden).float()

    def profile_inputs(self, max_tiles: int | None) -> ProfileInputs:
        views = self.views
        count = views.allowed_tiles(max_tiles)
        common = (views.default.base_size, views.default.image_size)
        tiles = preprocess.gray_view(common[1]).expand(count, -1, -1, -1)
        others = {mode.image_size for mode in views.modes.values()} - {*common}
        return ProfileInputs(
            page=PageViews(preprocess.gray_view(common[0]), tiles, (1, count)),
            common_sides=common,
            other_sides=tuple(sorted(others)),
            prompt_tokens=views.common_prompt_tokens,
        )
