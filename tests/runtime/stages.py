"""Records a model's intermediate results under the names of the goldens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dsocr.runtime.cache.batch import Chunk, make_batch
from dsocr.runtime.cache.block_allocator import BlockAllocator
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.prefill_step import PrefillStep
from dsocr.runtime.models import causal_flow
from dsocr.runtime.models.clip import Layer
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.models.deepseek_ocr2 import DeepseekOcr2
from dsocr.runtime.models.sam import SamBlock

BLOCK_SIZE = 16
_SUMMED = (SamBlock, Layer, causal_flow.Layer)


def vision_modules(model: DeepseekOcr) -> dict[str, nn.Module]:
    sam, clip = model.sam_model, model.vision_model
    return {
        "sam.patch_embed_nhwc": sam.patch_embed,
        **{f"sam.block{i}_nhwc": block for i, block in enumerate(sam.blocks)},
        "sam.neck_nchw": sam.neck,
        "sam.net_2_nchw": sam.net_2,
        "sam.out_nchw": sam,
        "clip.embeddings": clip.embeddings,
        "clip.pre_layrnorm": clip.pre_layrnorm,
        **{f"clip.layer{i}": layer for i, layer in enumerate(clip.transformer.layers)},
        "clip.out": clip,
        "projector.out": model.projector,
    }


def ocr2_vision_modules(model: DeepseekOcr2) -> dict[str, nn.Module]:
    """As `vision_modules`; `qwen.input`, which has no module, is left out."""
    sam, encoder = model.sam_model, model.qwen2_model.transformer
    return {
        "sam.patch_embed_nhwc": sam.patch_embed,
        **{f"sam.block{i}_nhwc": block for i, block in enumerate(sam.blocks)},
        "sam.neck_nchw": sam.neck,
        "sam.net_2_nchw": sam.net_2,
        "sam.out_nchw": sam,
        **{f"qwen.layer{i}": layer for i, layer in enumerate(encoder.layers)},
        "qwen.norm": encoder,
        "qwen.out": model.qwen2_model,
        "projector.out": model.projector,
    }


@contextmanager
def watching_vision(model: DeepseekOcr2) -> Iterator[dict[str, Any]]:
    """`watching` of all vision stages of DeepSeek-OCR-2."""
    encoder = model.qwen2_model.transformer
    with watching(ocr2_vision_modules(model)) as seen:
        hook = encoder.register_forward_pre_hook(
            lambda _, inputs: seen.__setitem__("qwen.input", inputs[0])
        )
        try:
            yield seen
        finally:
            hook.remove()


def decoder_modules(model: DeepseekOcr | DeepseekOcr2) -> dict[str, nn.Module]:
    layers = model.decoder.layers
    return {
        "hidden_states.0": model.decoder.embed_tokens,
        # the last layer's own output has no golden: the last hidden state is the normed one
        **{f"hidden_states.{i + 1}": layer for i, layer in enumerate(layers[:-1])},
        f"hidden_states.{len(layers)}": model.decoder.norm,
    }


@contextmanager
def watching(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Any]]:
    """The modules' outputs of what runs inside, filled in as they come."""
    seen: dict[str, Any] = {}

    def keep(name: str) -> Any:
        return lambda module, _, output: seen.__setitem__(name, _whole(module, output))

    hooks = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _whole(module: nn.Module, output: Any) -> Any:
    """Layers of the towers give their tokens and what the next one is to add to them."""
    return output[0] + output[1] if isinstance(module, _SUMMED) else output


def deviation(tensor: Tensor, golden: Mapping[str, Any]) -> float:
    """Greatest absolute difference at the sampled places; infinite for another shape."""
    if list(tensor.shape) != golden["shape"]:
        return float("inf")
    sampled = tensor.flatten()[torch.tensor(golden["flat_indices"], device=tensor.device)]
    return distance(sampled, torch.tensor(golden["values"]))


def distance(ours: Tensor, theirs: Tensor) -> float:
    return (ours.float().cpu() - theirs.float().cpu()).abs().max().item()


class Reader:
    """One sequence at a time through the paged cache, as the runner does it, in few lines: by the
    plain decoder, or by the kernels that take prompts in."""

    def __init__(
        self,
        model: DeepseekOcr | DeepseekOcr2,
        *,
        num_blocks: int = 96,
        cache_dtype: torch.dtype | None = None,
        kernels: bool = False,
    ) -> None:
        self.model = model
        self.cache = KVCache(
            model.spec.decoder,
            num_blocks=num_blocks,
            block_size=BLOCK_SIZE,
            device=model.device,
            dtype=cache_dtype or model.dtype,
        )
        self.allocator = BlockAllocator(num_blocks, block_size=BLOCK_SIZE)
        plain = partial(model.forward, cache=self.cache)
        self._forward = PrefillStep(model, self.cache).hidden if kernels else plain

    def chunk(
        self, table: list[int], ids: Sequence[int], *, num_cached: int = 0, **features: Any
    ) -> Chunk:
        self.allocator.extend(table, num_cached + len(ids))
        return Chunk(list(ids), num_cached, table, **features)

    def hidden(self, *chunks: Chunk) -> Tensor:
        batch = make_batch(chunks, block_size=BLOCK_SIZE, device=self.model.device)
        return self._forward(batch)

    def greedy(self, ids: Sequence[int], count: int, **features: Any) -> list[int]:
        """The most likely continuation; `features` as in `Chunk`."""
        table: list[int] = []
        hidden = self.hidden(self.chunk(table, ids, **features))
        output: list[int] = []
        while True:
            output.append(int(self.model.logits(hidden[-1:]).argmax()))
            if len(output) == count:
                self.allocator.free(table)
                return output
            num_cached = len(ids) + len(output) - 1
            hidden = self.hidden(self.chunk(table, output[-1:], num_cached=num_cached))
