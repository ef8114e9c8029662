"""DeepSeek-OCR v1: the family that wires SAM, CLIP, projector and decoder (spec 2 to 5).

Knows how an image's features are laid out as tokens; knows nothing of prompts or sampling.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dsocr.runtime.cache.batch import Batch, PageViews
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.config import AttentionName
from dsocr.runtime.execution.encode_graph import BYTES_PER_PIXEL, EncodeGraphs
from dsocr.runtime.kernels.elementwise import normalize, normalize_fused
from dsocr.runtime.layers.int8 import Destination
from dsocr.runtime.layers.moe import Experts
from dsocr.runtime.models.clip import Clip
from dsocr.runtime.models.deepseek_moe import DeepseekMoe
from dsocr.runtime.models.sam import Sam
from dsocr.runtime.spec import DeepseekOcrSpec

IGNORED = frozenset(
    {
        # CLIP's own patches, which SAM's features replace (spec 1.2)
        "model.vision_model.embeddings.patch_embedding.weight",
        # a buffer some re-saved checkpoints carry (spec 1)
        "model.vision_model.embeddings.position_ids",
    }
)
"""Tensors a checkpoint may have or lack; they are never read."""

PASS_PIXELS = 2 << 20
"""Views go through the towers in passes of at most this many pixels, which bounds the memory."""
LEAST_FUSED_PIXELS, MOST_FUSED_PIXELS = 1 << 20, 16 << 20
"""The fused attention needs far less of it: passes then are as large as the device's memory lets
them be, a global view at least."""
PASS_SHARE = 1 / 8
"""How much of the free memory a pass may take."""


class Projector(nn.Module):
    """Vision channels to the decoder's width: one linear layer, no activation (spec 2.3)."""

    def __init__(self, width: int, hidden_size: int) -> None:
        super().__init__()
        self.layers = nn.Linear(width, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class DeepseekOcr(nn.Module):
    """The verbs the runner calls: `encode` views, `forward` a batch, `logits` of hidden states."""

    def __init__(self, spec: DeepseekOcrSpec, *, attention: AttentionName) -> None:
        super().__init__()
        self.spec, self.attention = spec, attention
        hidden = spec.decoder.hidden_size
        self.sam_model = Sam(spec.sam, attention)
        self.vision_model = Clip(spec.clip, attention)
        self.projector = Projector(spec.projector_width, hidden)
        self.image_newline = nn.Parameter(torch.empty(hidden))
        self.view_seperator = nn.Parameter(torch.empty(hidden))  # the checkpoint's spelling
        self.decoder = DeepseekMoe(spec.decoder, attention)
        self.lm_head = nn.Linear(hidden, spec.decoder.vocab_size, bias=False)
        self._graphs: EncodeGraphs | None = None
        self.pass_pixels = PASS_PIXELS
        """Most pixels of views that go through the towers together."""

    def use_kernels(self) -> None:
        """Lets the vision towers run by Triton kernels and CUDA graphs from now on."""
        self.sam_model.use_kernels()
        self.vision_model.use_kernels()
        free, _ = torch.cuda.mem_get_info(self.device)
        fitting = int(free * PASS_SHARE / BYTES_PER_PIXEL)
        self.pass_pixels = min(MOST_FUSED_PIXELS, max(LEAST_FUSED_PIXELS, fitting))
        is_large = fitting >= MOST_FUSED_PIXELS
        self._graphs = EncodeGraphs(self._project, self.device, separate_pools=is_large)

    def run_idle_work(self) -> bool:
        """Makes one of the graphs that were wanted. False where none is missing."""
        return self._graphs is not None and self._graphs.capture_one()

    @property
    def device(self) -> torch.device:
        return self.image_newline.device

    @property
    def dtype(self) -> torch.dtype:
        return self.image_newline.dtype

    def checkpoint_tensors(self) -> Iterator[tuple[str, Destination]]:
        """Every tensor a checkpoint must have (spec 1.2), and the memory of ours it fills."""
        for path, module in self.named_modules():
            for name, tensor in _own_tensors(module):
                full = f"{path}.{name}".removeprefix("decoder.").lstrip(".")
                yield full if full.startswith("lm_head.") else f"model.{full}", tensor

    @torch.inference_mode()
    def encode(self, views: Sequence[PageViews]) -> list[Tensor]:
        """Each page's image features (N, hidden) in the order of its placeholders (spec 2.4).

        Views of one size run together, whatever pages they are of.
        """
        pictures = [picture for page in views for picture in _pictures(page)]
        features = iter(self._project_all(pictures))
        return [
            self._lay_out([next(features) for _ in _pictures(page)], page.grid) for page in views
        ]

    def vision(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (B, 3, S, S) to projected features (B, m*m, hidden), m = S/64."""
        sam = self.sam_model(pixels)
        clip = self.vision_model(sam)[:, 1:]  # without the class token
        return self.projector(torch.cat((clip, sam.flatten(2).transpose(1, 2)), dim=-1))

    @torch.inference_mode()
    def forward(self, batch: Batch, cache: KVCache) -> Tensor:
        """Hidden states after the final norm, (T, hidden); fills the cache."""
        return self.decoder(batch, cache)

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """float32 scores of every token id, (rows, vocabulary)."""
        return self.lm_head(hidden).float()

    def _project_all(self, pictures: list[Tensor]) -> list[Tensor]:
        """Features (m*m, hidden) of uint8 pictures (S, S, 3), in their order."""
        passes = _passes([len(picture) for picture in pictures], self.pass_pixels)
        projected = self._project_each([pictures[index] for index in some] for some in passes)
        features: dict[int, Tensor] = {}
        for some, theirs in zip(passes, projected, strict=True):
            features |= zip(some, theirs, strict=True)
        return [features[index] for index in range(len(pictures))]

    def _project_each(self, passes: Iterable[Sequence[Tensor]]) -> Iterable[Tensor]:
        """Features (B, m*m, hidden) of passes of B uint8 pictures (S, S, 3)."""
        if self._graphs is not None:
            return self._graphs(passes)
        return (
            self._project(torch.stack([view.to(self.device) for view in views])) for views in passes
        )

    def _project(self, views: Tensor) -> Tensor:
        """uint8 views (B, S, S, 3) to features (B, m*m, hidden)."""
        to_pixels = normalize if self._graphs is None else normalize_fused
        return self.vision(to_pixels(views, self.dtype))

    def _lay_out(self, pictures: list[Tensor], grid: tuple[int, int]) -> Tensor:
        """A page's placeholders, taken from its global view, its tiles and two learned tokens."""
        learned = torch.stack((self.image_newline, self.view_seperator))
        sides = [int(len(picture) ** 0.5) for picture in pictures]
        tile = sides[1] if len(pictures) > 1 else 0
        return torch.cat((*pictures, learned))[_order(sides[0], tile, grid, self.device)]


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, Destination]]:
    """A module's parameters as the checkpoint names them; stacked ones are taken apart."""
    if isinstance(module, Experts):
        return module.checkpoint_tensors()
    return module.named_parameters(recurse=False)


def _pictures(page: PageViews) -> list[Tensor]:
    return [page.global_view, *([] if page.tiles is None else page.tiles)]


@lru_cache(maxsize=256)
def _order(side: int, tile: int, grid: tuple[int, int], device: torch.device) -> Tensor:
    """Which row each placeholder takes of a global view (side * side), tiles (tile * tile each), a
    newline and a separator: local rows, global rows, one separator; every row of a picture ends in
    a newline (spec 2.4)."""
    wide, high = grid
    num_local = wide * high * tile * tile
    newline = side * side + num_local
    whole = torch.arange(side * side).view(side, side)
    local = side * side + torch.arange(num_local).view(high, wide, tile, tile)
    local = local.transpose(1, 2).reshape(high * tile, wide * tile)
    rows = [F.pad(picture, (0, 1), value=newline).flatten() for picture in (local, whole)]
    rows = rows if tile else rows[1:]
    return torch.cat((*rows, torch.tensor([newline + 1]))).to(device)


def _passes(sides: Sequence[int], most_pixels: int) -> list[list[int]]:
    """Which pictures go through the towers together: of one side, as many as may."""
    alike: dict[int, list[int]] = {}
    for index, side in enumerate(sides):
        alike.setdefault(side, []).append(index)
    sizes = {side: max(1, most_pixels // side**2) for side in alike}
    return [
        indices[start : start + sizes[side]]
        for side, indices in alike.items()
        for start in range(0, len(indices), sizes[side])
    ]
