"""DeepSeek-OCR-2: SAM, the causal-flow encoder, projector and decoder, and the layout of image
tokens (spec 10). Everything else is v1's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from dsocr.runtime.cache.batch import PageViews
from dsocr.runtime.config import AttentionName
from dsocr.runtime.layers.moe import Experts
from dsocr.runtime.models import causal_flow
from dsocr.runtime.models.causal_flow import CausalFlow
from dsocr.runtime.models.deepseek_base import DeepseekBase, Projector
from dsocr.runtime.models.deepseek_moe import DeepseekMoe
from dsocr.runtime.models.deepseek_ocr2_spec import DeepseekOcr2Spec
from dsocr.runtime.models.sam import Sam


class DeepseekOcr2(DeepseekBase):
    """The `OcrModel` of DeepSeek-OCR-2; `models.family` describes the methods."""

    ignored_tensors = frozenset(
        # the released index counts the bytes of three more tables of queries (spec 10.1)
        f"model.qwen2_model.query_{side}.weight"
        for side in (512, 640, 1280)
    )
    stacked = (Experts, causal_flow.Attention, causal_flow.MLP)

    def __init__(self, spec: DeepseekOcr2Spec, *, attention: AttentionName) -> None:
        super().__init__()
        self.spec, self.views, self.attention = spec, spec.views, attention
        hidden = spec.decoder.hidden_size
        self.sam_model = Sam(spec.sam, attention)
        self.qwen2_model = CausalFlow(spec.encoder, attention)  # the checkpoint's name
        self.projector = Projector(spec.encoder.width, hidden)
        self.view_seperator = nn.Parameter(torch.empty(hidden))  # the checkpoint's spelling
        self.decoder = DeepseekMoe(spec.decoder, attention)
        self.lm_head = nn.Linear(hidden, spec.decoder.vocab_size, bias=False)

    def use_kernels(self) -> None:
        self.sam_model.use_kernels()
        self.qwen2_model.use_kernels()
        self.uses_kernels = True

    def num_image_tokens(self, views: PageViews) -> int:
        """Every feature of every view, and a separator (spec 10.3)."""
        sides = [self.views.side_features(len(view)) for view in views.views]
        return sum(side * side for side in sides) + 1

    def vision(self, pixels: Tensor) -> Tensor:
        """Normalized pixels (B, 3, S, S) to projected features (B, m*m, hidden) (spec 10.2)."""
        return self.projector(self.qwen2_model(self.sam_model(pixels)))

    def arrange(self, features: Sequence[Tensor], page: PageViews) -> Tensor:
        """Tiles as they are cut, the global view, the separator (spec 10.3)."""
        return torch.cat((*features[1:], features[0], self.view_seperator.unsqueeze(0)))

    def progress_modules(self) -> Iterable[nn.Module]:
        encoder = self.qwen2_model.transformer
        return [*self.sam_model.blocks, *encoder.layers, *self.decoder.layers]
