"""Runs pages' views through a model's vision towers: in passes of bounded size, and by CUDA graphs
where the model uses kernels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from dsocr.runtime.cache.batch import PageViews
from dsocr.runtime.execution.encode_graph import MAX_PIXELS, EncodeGraphs, recurring_count
from dsocr.runtime.models.family import OcrModel

PASS_PIXELS = 2 << 20
"""Pixels of a pass, at most, which bounds its memory."""
MIN_FUSED_PIXELS, MAX_FUSED_PIXELS = 1 << 20, 16 << 20
"""Fused attention needs far less memory: its passes are as large as free memory allows, within
these bounds. The lower one is a global view."""
PASS_SHARE = 1 / 8
"""Share of the free memory that a pass may take."""


class VisionRunner:
    """Owns the passes and the graphs of a model's towers. For one thread."""

    def __init__(self, model: OcrModel) -> None:
        """For a model whose weights are loaded: with kernels, passes are sized by the memory that
        is free now."""
        self._model = model
        self.pass_pixels = PASS_PIXELS
        """Most pixels of views that run together."""
        self._graphs: EncodeGraphs | None = None
        if model.uses_kernels:
            views = model.spec.views
            free, _ = torch.cuda.mem_get_info(model.device)
            fitting = int(free * PASS_SHARE / views.encode_bytes_per_pixel)
            self.pass_pixels = min(MAX_FUSED_PIXELS, max(MIN_FUSED_PIXELS, fitting))
            is_plentiful = fitting >= MAX_FUSED_PIXELS
            self._graphs = EncodeGraphs(
                model.encode,
                model.device,
                separate_pools=is_plentiful,
                large_side=views.default.base_size,
                bytes_per_pixel=views.encode_bytes_per_pixel,
                max_pixels=self.pass_pixels if is_plentiful else MAX_PIXELS,
            )

    def run_idle_work(self) -> bool:
        """Captures a graph that was requested. False if none is missing."""
        return self._graphs is not None and self._graphs.capture_one()

    @torch.inference_mode()
    def encode(self, pages: Sequence[PageViews]) -> list[Tensor]:
        """Each page's image features (N, hidden), in the order of its placeholders. Views of one
        side run together, whatever their pages."""
        features = iter(self._encode_views([view for page in pages for view in page.views]))
        return [self._model.arrange([next(features) for _ in page.views], page) for page in pages]

    def _encode_views(self, views: list[Tensor]) -> list[Tensor]:
        """Features (tokens, hidden) of uint8 views (S, S, 3), in their order."""
        # passes are cut to sizes that recur only where every pass may have a graph
        recurring = self._graphs is not None and self._graphs.max_pixels >= self.pass_pixels
        sides = [len(view) for view in views]
        passes = split_passes(sides, self.pass_pixels, recurring=recurring)
        encoded = self._encode_passes([views[index] for index in indices] for indices in passes)
        features: dict[int, Tensor] = {}
        for indices, of_pass in zip(passes, encoded, strict=True):
            features |= zip(indices, of_pass, strict=True)
        return [features[index] for index in range(len(views))]

    def _encode_passes(self, passes: Iterable[Sequence[Tensor]]) -> Iterable[Tensor]:
        """Features (B, tokens, hidden) of passes of B uint8 views (S, S, 3)."""
        if self._graphs is not None:
            return self._graphs(passes)
        model = self._model
        return (
            model.encode(torch.stack([view.to(model.device) for view in views])) for views in passes
        )


def split_passes(sides: Sequence[int], max_pixels: int, *, recurring: bool) -> list[list[int]]:
    """Indices of the views of each pass: of one side, as many as fit; `recurring`: as many of them
    as `recurring_count` says."""
    by_side: dict[int, list[int]] = {}
    for index, side in enumerate(sides):
        by_side.setdefault(side, []).append(index)
    passes: list[list[int]] = []
    for side, indices in by_side.items():
        while indices:
            count = min(len(indices), max(1, max_pixels // side**2))
            count = recurring_count(count, side) if recurring else count
            passes.append(indices[:count])
            indices = indices[count:]
    return passes
