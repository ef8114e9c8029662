"""The decoder on prompts or parts of them, by fused kernels: what `DeepseekMoe` computes.

Asynchronous and with little work on the host, so that prompts are enqueued while earlier steps
still run. The large matrix products are PyTorch's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.cache.batch import Batch
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.decoder_weights import (
    DeepseekMoeModel,
    LayerWeights,
    layer_weights,
    rotation_tables,
)
from dsocr.runtime.kernels.add_rmsnorm import add_rmsnorm_fused, silu_mul_fused
from dsocr.runtime.kernels.experts_prefill import experts_prefill_fused, route_fused
from dsocr.runtime.kernels.prefill_attention import (
    Chunks,
    make_tiles,
    prefill_attention_fused,
    rotate_write_fused,
)
from dsocr.runtime.kernels.tuning import PrefillTuning, prefill_tuning_for


class PrefillStep:
    """Holds weights alone. `tuning_for` (number of tokens to kernel parameters) is replaceable."""

    def __init__(self, model: DeepseekMoeModel, cache: KVCache) -> None:
        self.tuning_for = prefill_tuning_for
        self._embed, self._norm = model.decoder.embed_tokens, model.decoder.norm.weight
        self._eps, self._window = model.spec.decoder.rms_norm_eps, model.spec.decoder.window
        self._layers = layer_weights(model, cache)
        self._rotation = rotation_tables(model)

    @torch.inference_mode()
    def hidden(self, batch: Batch) -> Tensor:
        """Hidden states after the final norm, (T, hidden); fills the cache."""
        residual = self._embed(batch.input_ids)
        if batch.features is not None and batch.feature_rows is not None:
            residual.index_copy_(0, batch.feature_rows, batch.features.to(residual.dtype))
        chunks = self._chunks(batch)
        changes: Tensor | None = None
        for layer in self._layers:
            residual, x = add_rmsnorm_fused(residual, changes, layer.attention_norm, self._eps)
            change = self._attend(x, layer, batch, chunks).unsqueeze(1)
            residual, x = add_rmsnorm_fused(residual, change, layer.experts_norm, self._eps)
            changes = self._mlp(x, layer)
        return add_rmsnorm_fused(residual, changes, self._norm, self._eps)[1]

    def _chunks(self, batch: Batch) -> Chunks:
        tiles = make_tiles(batch.query_starts, self.tuning_for(batch.num_tokens).queries)
        pinned = batch.input_ids.is_cuda
        numbers = torch.tensor(
            [*batch.query_starts, *(number for tile in tiles for number in tile)],
            dtype=torch.int32,
            pin_memory=pinned,
        ).to(batch.input_ids.device, non_blocking=True)
        starts, pairs = torch.split(numbers, [len(batch.query_starts), 2 * len(tiles)])
        tables, prompts = batch.block_tables, batch.prompt_lens
        return Chunks(starts, batch.context_lens, tables, pairs.view(-1, 2), prompts)

    def _attend(self, x: Tensor, layer: LayerWeights, batch: Batch, chunks: Chunks) -> Tensor:
        tuning = self.tuning_for(len(x))
        q = rotate_write_fused(
            *(F.linear(x, layer.qkv), *self._rotation, batch.positions, batch.slots),
            layer.blocks,
        )
        attended = prefill_attention_fused(
            *(q, layer.blocks, chunks),
            queries=tuning.queries,
            keys=tuning.keys,
            warps=tuning.warps,
            stages=tuning.stages,
            window=self._window,
        )
        return F.linear(attended, layer.out)

    def _mlp(self, x: Tensor, layer: LayerWeights) -> Tensor:
        return mlp_fused(x, layer, self.tuning_for(len(x)))


def mlp_fused(
    x: Tensor, layer: LayerWeights, tuning: PrefillTuning, rows: Tensor | None = None
) -> Tensor:
    """Outputs (T, K + 1, hidden) of each token's K experts, then of the shared ones or the dense
    MLP. `rows` as in `route_fused`."""
    experts = layer.experts
    expert_out = x.new_empty(len(x), experts.num_chosen + 1, x.shape[1])
    inner = silu_mul_fused(F.linear(x, layer.gate_up))
    torch.mm(inner, experts.down.t(), out=expert_out[:, experts.num_chosen])
    if layer.router is not None:
        routes = route_fused(_router_logits(x, layer.router), experts, rows)
        experts_prefill_fused(x, routes, experts, expert_out, up=tuning.up, down=tuning.down)
    return expert_out


def _router_logits(x: Tensor, router: Tensor) -> Tensor:
    """float32 (T, experts), without rounding to the weights' dtype (spec 9)."""
    if x.dtype == torch.float32:
        return torch.mm(x, router.t())
    return torch.mm(x, router.t(), out_dtype=torch.float32)
