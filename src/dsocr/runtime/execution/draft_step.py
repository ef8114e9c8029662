"""Decode steps whose sequences have drafts, by fused kernels: several new tokens of each.

Without drafts a step is that of `DecodeStep`, and looks up the drafts of the next one. With drafts
all T tokens pass the layers together: the products are those of a batch of T rows, and attention
reads the cached tokens of a sequence once for all of its own.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.decode_graph import DecodeOps, DecodeState
from dsocr.runtime.execution.decode_step import DecodeStep
from dsocr.runtime.execution.decoder_weights import DeepseekMoeModel, LayerWeights
from dsocr.runtime.execution.prefill_step import mlp_fused
from dsocr.runtime.kernels.add_rmsnorm import add_rmsnorm_fused
from dsocr.runtime.kernels.decode_attention import DecodeSequences
from dsocr.runtime.kernels.drafts.acceptance import accept_drafts_fused
from dsocr.runtime.kernels.drafts.attention import draft_attention_fused
from dsocr.runtime.kernels.drafts.layout import DraftRows, lay_out_drafts_fused
from dsocr.runtime.kernels.drafts.proposals import propose_drafts_fused
from dsocr.runtime.kernels.drafts.tables import DraftTables
from dsocr.runtime.kernels.prefill_attention import rotate_write_fused
from dsocr.runtime.kernels.repetition_flags import TokenRuns, flag_repetition_fused
from dsocr.runtime.kernels.sampling import sample_tokens_fused
from dsocr.runtime.kernels.tuning import DecodeTuning, prefill_tuning_for

MAX_DECODE_TOKENS = 512
"""With more tokens the experts have enough of them for the kernels of prompts."""


class DraftOps(DecodeOps, Protocol):
    """The computations of a step with drafts, all on the device and asynchronous."""

    def lay_out(self, rows: Tensor, state: DecodeState, num_drafts: int) -> DraftRows:
        """The step's tokens: the newest of each slot, and at most so many drafts."""

    def draft_scores(self, layout: DraftRows, state: DecodeState) -> Tensor:
        """float32 logits (T, vocabulary) after each of the tokens."""

    def sample_all(self, logits: Tensor, state: DecodeState, layout: DraftRows) -> Tensor:
        """Samples the token after each of the step's, as if all before it were right. Returns
        (3, T), see `kernels.sampling`."""

    def keep(self, sampled: Tensor, state: DecodeState, layout: DraftRows) -> Tensor:
        """Appends what is kept to the slots' tokens, adds repetition flags, and looks up the next
        drafts. Returns (2, B) int32: the tokens kept of each row, and the length of its next
        draft."""


class DraftStep(DecodeStep):
    """The `DraftOps` of kernels."""

    def __init__(
        self, model: DeepseekMoeModel, cache: KVCache, max_rows: int, max_drafts: int
    ) -> None:
        super().__init__(model, cache, max_rows + max_drafts)
        self._block_size = cache.block_size

    def sample(self, logits: Tensor, state: DecodeState, rows: Tensor) -> Tensor:
        """With the lengths of the next drafts as fourth row."""
        sampled = super().sample(logits, state, rows)
        lengths = propose_drafts_fused(state.histories, _tables(state), rows)
        return torch.cat((sampled, lengths[None]))

    def lay_out(self, rows: Tensor, state: DecodeState, num_drafts: int) -> DraftRows:
        return lay_out_drafts_fused(
            *(state.histories, _tables(state), state.block_tables, rows),
            num_drafts=num_drafts,
            block_size=self._block_size,
        )

    def draft_scores(self, layout: DraftRows, state: DecodeState) -> Tensor:
        sequences = state.sequences(layout.rows)
        residual = F.embedding(layout.tokens, self._embeddings)
        tuning = self.tuning_for(len(residual))
        changes: Tensor | None = None
        for layer, counts in zip(self._layers, self._zero_counts(), strict=True):
            residual, x = add_rmsnorm_fused(residual, changes, layer.attention_norm, self._eps)
            change = F.linear(self._attend_all(x, layer, sequences, layout), layer.out)
            residual, changes = self._experts(residual, change, layer, layout, counts, tuning)
        return self.head(add_rmsnorm_fused(residual, changes, self._norm, self._eps)[1])

    def sample_all(self, logits: Tensor, state: DecodeState, layout: DraftRows) -> Tensor:
        return sample_tokens_fused(logits, state.histories, layout.owners, layout.positions)

    def keep(self, sampled: Tensor, state: DecodeState, layout: DraftRows) -> Tensor:
        tables = _tables(state)
        kept = accept_drafts_fused(sampled, state.histories, tables, layout)
        runs = TokenRuns(kept, layout.starts)
        flag_repetition_fused(state.histories, state.traces, layout.rows, sampled[2], runs)
        return torch.stack((kept, propose_drafts_fused(state.histories, tables, layout.rows)))

    def _attend_all(
        self, x: Tensor, layer: LayerWeights, sequences: DecodeSequences, layout: DraftRows
    ) -> Tensor:
        q = rotate_write_fused(
            *(F.linear(x, layer.qkv), *self._rotation, layout.positions, layout.slots),
            layer.blocks,
        )
        return draft_attention_fused(
            *(q, layer.blocks, sequences, layout),
            split=self.tuning_for(len(layout.rows)).split,
            split_counters=self._split_counters,
            window=self._window,
        )

    def _experts(
        self,
        residual: Tensor,
        change: Tensor,
        layer: LayerWeights,
        layout: DraftRows,
        counts: Tensor,
        tuning: DecodeTuning,
    ) -> tuple[Tensor, Tensor]:
        if len(residual) <= MAX_DECODE_TOKENS:
            return self._mlp(residual, change, layer, layout.owners, counts, tuning)
        residual, x = add_rmsnorm_fused(
            residual, change.unsqueeze(1), layer.experts_norm, self._eps
        )
        return residual, mlp_fused(x, layer, prefill_tuning_for(len(x)), layout.owners)


def _tables(state: DecodeState) -> DraftTables:
    assert state.drafts is not None
    return state.drafts
