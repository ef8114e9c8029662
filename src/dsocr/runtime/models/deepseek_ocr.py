"""DeepSeek-OCR v1: SAM, CLIP, projector and decoder, and the layout of image tokens (spec 2 to 5).

Knows nothing of prompts, sampling, passes or graphs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dsocr.runtime.cache.batch import PageViews
from dsocr.runtime.config import AttentionName
from dsocr.runtime.models.clip import Clip
from dsocr.runtime.models.deepseek_base import DeepseekBase, Projector
from dsocr.runtime.models.deepseek_moe import DeepseekMoe
from dsocr.runtime.models.deepseek_ocr_spec import DeepseekOcrSpec
from dsocr.runtime.models.sam import Sam
from dsocr.runtime.spec import ViewSpec


class DeepseekOcr(DeepseekBase):
    """The `OcrModel` of DeepSeek-OCR v1; `models.family` describes the methods."""

    ignored_tensors = frozenset(
        {
            # CLIP's own patch embedding, which SAM's features replace (spec 1.2)
            "model.vision_model.embeddings.patch_embedding.weight",
            # a buffer in some copies of the release (spec 1)
            "model.vision_model.embeddings.position_ids",
        }
    )

    def __init__(self, spec: DeepseekOcrSpec, *, attention: AttentionName) -> None:
        super().__init__()
        self.spec, self.views, self.attention = spec, spec.views, attention
        hidden = spec.decoder.hidden_size
        self.sam_model = Sam(spec.sam, attention)
        self.vision_model = Clip(spec.clip, attention)
        self.projector = Projector(spec.projector_width, hidden)
        self.image_newline = nn.Parameter(torch.empty(hidden))
        self.view_seperator = nn.Parameter(torch.empty(hidden))  # the checkpoint's spelling
        self.decoder = DeepseekMoe(spec.decoder, attention)
        self.lm_head = nn.Linear(hidden, spec.decoder.vocab_size, bias=False)

    def use_kernels(self) -> None:
        self.sam_model.use_kernels()
        self.vision_model.use_kernels()
        self.uses_kernels = True

    def num_image_tokens(self, views: PageViews) -> int:
        return num_image_tokens(views, self.views)

    def vision(self, pixels: Tensor) -> Tensor:
        """Normalized pixels (B, 3, S, S) to projected features (B, m*m, hidden) (spec 2.1-2.3)."""
        sam = self.sam_model(pixels)
        clip = self.vision_model(sam)[:, 1:]  # without the class token
        return self.projector(torch.cat((clip, sam.flatten(2).transpose(1, 2)), dim=-1))

    def arrange(self, features: Sequence[Tensor], page: PageViews) -> Tensor:
        """A page's image tokens from its global view, its tiles and two learned tokens
        (spec 2.4)."""
        learned = torch.stack((self.image_newline, self.view_seperator))
        sides = [int(len(view) ** 0.5) for view in features]
        tile = sides[1] if len(features) > 1 else 0
        return torch.cat((*features, learned))[_order(sides[0], tile, page.grid, self.device)]

    def progress_modules(self) -> Iterable[nn.Module]:
        return [
            *self.sam_model.blocks,
            *self.vision_model.transformer.layers,
            *self.decoder.layers,
        ]


def num_image_tokens(views: PageViews, spec: ViewSpec) -> int:
    """Image tokens of a page: every row of features ends with a newline, and the image with a
    separator (spec 2.4)."""
    side = spec.side_features(views.global_view.shape[0])
    count = side * (side + 1) + 1
    if views.tiles is not None:
        wide, high = views.grid
        tile = spec.side_features(views.tiles.shape[1])
        count += high * tile * (wide * tile + 1)
    return count


@lru_cache(maxsize=256)
def _order(side: int, tile: int, grid: tuple[int, int], device: torch.device) -> Tensor:
    """Which row each image token takes of: a global view (side * side), tiles (tile * tile each), a
    newline, a separator. Tile rows, global rows, one separator; every row of a grid ends with a
    newline (spec 2.4)."""
    wide, high = grid
    num_local = wide * high * tile * tile
    newline = side * side + num_local
    whole = torch.arange(side * side).view(side, side)
    local = side * side + torch.arange(num_local).view(high, wide, tile, tile)
    local = local.transpose(1, 2).reshape(high * tile, wide * tile)
    rows = [F.pad(view, (0, 1), value=newline).flatten() for view in (local, whole)]
    rows = rows if tile else rows[1:]
    return torch.cat((*rows, torch.tensor([newline + 1]))).to(device)
