"""The decoder on one new token per sequence, by fused kernels.

Computes what `DeepseekMoe` computes on a batch of decodes, with no more roundings. Two paths: for a
single row, matrix-vector kernels that include norms, routing and sums; for several rows, the large
products are PyTorch's, and the experts' are grouped by expert.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.devices import FP8
from dsocr.runtime.execution.decode_graph import DecodeState
from dsocr.runtime.execution.decoder_weights import (
    DeepseekMoeModel,
    LayerWeights,
    layer_weights,
    rotation_tables,
)
from dsocr.runtime.kernels.add_rmsnorm import (
    add_rmsnorm_fused,
    gather_embeddings_fused,
    silu_mul_fused,
)
from dsocr.runtime.kernels.decode_attention import DecodeSequences, Split, decode_attention_fused
from dsocr.runtime.kernels.experts_decode import experts_decode_fused, norm_route_fused
from dsocr.runtime.kernels.experts_gemv import experts_gemv_fused
from dsocr.runtime.kernels.gemv import gemv_fused, norm_gemv_fused
from dsocr.runtime.kernels.repetition_flags import flag_repetition_fused
from dsocr.runtime.kernels.sampling import sample_tokens_fused
from dsocr.runtime.kernels.triton_compat import compute_capability, supports_kernels
from dsocr.runtime.kernels.tuning import (
    DecodeTuning,
    GemvTuning,
    decode_tuning_for,
    fp8_split_for,
    fp8_tuning_for,
    windowed_tuning_for,
)
from dsocr.runtime.models.deepseek_moe import DeepseekMoe
from dsocr.runtime.models.family import OcrModel

_PROGRAMMATIC_LAUNCH = (9, 0)
"""Compute capability from which a kernel may start before the one before it has ended."""


class DecodeStep:
    """The `DecodeOps` of kernels: asynchronous, can be captured. Holds the weights and buffers that
    all steps share, so steps must run one after another."""

    def __init__(self, model: DeepseekMoeModel, cache: KVCache, max_rows: int) -> None:
        decoder, spec = model.decoder, model.spec.decoder
        self.pdl = compute_capability(model.device) >= _PROGRAMMATIC_LAUNCH
        self.row_tuning, self.tuning_for = GemvTuning(), decode_tuning_for
        if cache.blocks.dtype == FP8:
            self.row_tuning = replace(self.row_tuning, split=fp8_split_for(1))
            self.tuning_for = fp8_tuning_for
        elif spec.window is not None:
            self.tuning_for = windowed_tuning_for
        self._eps, self._window = spec.rms_norm_eps, spec.window
        self._embeddings = decoder.embed_tokens.weight
        self._norm, self._head = decoder.norm.weight, model.lm_head.weight
        self._layers = layer_weights(model, cache)
        self._rotation = rotation_tables(model)
        # one buffer for all graphs, which would otherwise each keep their own
        self._logits = torch.empty(
            max_rows, spec.vocab_size, dtype=torch.float32, device=model.device
        )
        # counters of the attention kernel, which resets them to 0
        self._split_counters = torch.zeros(
            max_rows * spec.num_heads, dtype=torch.int32, device=model.device
        )

    def scores(self, rows: Tensor, state: DecodeState) -> Tensor:
        """float32 logits (B, vocabulary) after each slot's newest token."""
        x = gather_embeddings_fused(self._embeddings, state.tokens, state.lengths, rows)
        sequences = state.sequences(rows)
        if len(rows) == 1:
            return self._forward_one(x, sequences, self.row_tuning)
        return self._forward_batch(x, sequences, self.tuning_for(len(rows)))

    def sample(self, logits: Tensor, state: DecodeState, rows: Tensor) -> Tensor:
        sampled = sample_tokens_fused(logits, state.histories, rows)
        flag_repetition_fused(state.histories, state.traces, rows, sampled[2])
        return sampled

    def head(self, hidden: Tensor) -> Tensor:
        """float32 logits of normed hidden states, without rounding to the weights' dtype."""
        out = self._logits[: len(hidden)]
        if hidden.dtype == torch.float32:
            return torch.mm(hidden, self._head.t(), out=out)
        return torch.mm(hidden, self._head.t(), out_dtype=torch.float32, out=out)

    def _forward_one(
        self, residual: Tensor, sequences: DecodeSequences, tuning: GemvTuning
    ) -> Tensor:
        change: Tensor | None = None
        eps, pdl = self._eps, self.pdl
        for layer in self._layers:
            residual, qkv = norm_gemv_fused(
                *(residual, change, layer.attention_norm, eps, layer.qkv, residual.dtype),
                tile=tuning.qkv,
                pdl=pdl,
            )
            attended = self._attend(qkv, layer, sequences, tuning.split, pdl=pdl)
            change = gemv_fused(attended, layer.out, tile=tuning.out, pdl=pdl)
            logits = None
            if layer.router is not None:
                residual, logits = norm_gemv_fused(
                    *(residual, change, layer.experts_norm, eps, layer.router, torch.float32),
                    tile=tuning.router,
                    pdl=pdl,
                )
                change = None
            residual, change = experts_gemv_fused(
                *(residual, change, layer.experts_norm, eps, logits, layer.experts),
                up=tuning.up,
                down=tuning.down,
                pdl=pdl,
            )
        return norm_gemv_fused(
            *(residual, change, self._norm, eps, self._head, torch.float32),
            tile=tuning.head,
            pdl=pdl,
            out=self._logits[:1],
        )[1]

    def _forward_batch(
        self, residual: Tensor, sequences: DecodeSequences, tuning: DecodeTuning
    ) -> Tensor:
        changes: Tensor | None = None
        for layer, counts in zip(self._layers, self._zero_counts(), strict=True):
            residual, x = add_rmsnorm_fused(residual, changes, layer.attention_norm, self._eps)
            attended = self._attend(F.linear(x, layer.qkv), layer, sequences, tuning.split)
            change = F.linear(attended, layer.out)
            residual, changes = self._mlp(residual, change, layer, sequences.rows, counts, tuning)
        return self.head(add_rmsnorm_fused(residual, changes, self._norm, self._eps)[1])

    def _zero_counts(self) -> Tensor:
        """(layers, experts) int32: tokens of each expert, which the routing counts."""
        experts = len(self._layers), max(layer.experts.num_experts for layer in self._layers)
        return self._embeddings.new_zeros(experts, dtype=torch.int32)

    def _mlp(
        self,
        residual: Tensor,
        change: Tensor,
        layer: LayerWeights,
        rows: Tensor,
        counts: Tensor,
        tuning: DecodeTuning,
    ) -> tuple[Tensor, Tensor]:
        """residual + change (T, hidden), and what the layer's experts or its dense MLP add to it
        (T, any, hidden). `rows` (T,) are below 0 for padding."""
        if layer.router is None:
            residual, x = add_rmsnorm_fused(
                residual, change.unsqueeze(1), layer.experts_norm, self._eps
            )
            inner = silu_mul_fused(F.linear(x, layer.gate_up))
            return residual, F.linear(inner, layer.experts.down).unsqueeze(1)
        residual, x, routes = norm_route_fused(
            *(residual, change, layer.experts_norm, self._eps, layer.router),
            *(layer.experts, rows, counts),
            tile=tuning.router,
        )
        return residual, experts_decode_fused(
            x, routes, layer.experts, up=tuning.up, down=tuning.down
        )

    def _attend(
        self,
        qkv: Tensor,
        layer: LayerWeights,
        sequences: DecodeSequences,
        split: Split,
        *,
        pdl: bool = False,
    ) -> Tensor:
        return decode_attention_fused(
            *(qkv, *self._rotation, layer.blocks, sequences),
            split=split,
            split_counters=self._split_counters,
            pdl=pdl,
            window=self._window,
        )


def can_decode(model: OcrModel) -> TypeGuard[DeepseekMoeModel]:
    """Whether the decoder kernels can run: they compute `DeepseekMoe` and need Triton, a head size
    that is a power of two from 16 on, and matrix products with float32 results."""
    dim = model.spec.decoder.head_dim
    return (
        isinstance(getattr(model, "decoder", None), DeepseekMoe)
        and supports_kernels(model.device, model.dtype)
        and dim >= 16
        and dim & (dim - 1) == 0
        and "out_dtype" in (torch.mm.__doc__ or "")
    )
