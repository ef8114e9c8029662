"""Decode steps without kernels, with drafts and without: the device tables served by the plain
model."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from dsocr.runtime.cache.batch import Chunk, make_batch
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.decode_graph import DecodeState
from dsocr.runtime.execution.graph_runner import Prefill
from dsocr.runtime.kernels.drafts.acceptance import accept_drafts
from dsocr.runtime.kernels.drafts.layout import DraftRows, lay_out_drafts
from dsocr.runtime.kernels.drafts.proposals import propose_drafts
from dsocr.runtime.kernels.drafts.tables import DraftTables
from dsocr.runtime.kernels.repetition_flags import TokenRuns, flag_repetition
from dsocr.runtime.kernels.sampling import PROMPT, sample_tokens
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr


def plain_steps(model: DeepseekOcr, cache: KVCache, max_rows: int) -> tuple[Prefill, PlainStep]:
    return partial(model.forward, cache=cache), PlainStep(model, cache, max_rows)


def plain_draft_steps(
    model: DeepseekOcr, cache: KVCache, max_rows: int, max_drafts: int
) -> tuple[Prefill, PlainDraftStep]:
    return partial(model.forward, cache=cache), PlainDraftStep(model, cache, max_rows)


class PlainStep:
    def __init__(self, model: DeepseekOcr, cache: KVCache, max_rows: int) -> None:
        self._model, self._cache, self._max_rows = model, cache, max_rows

    def scores(self, rows: Tensor, state: DecodeState) -> Tensor:
        assert len(rows) <= self._max_rows
        slots = [slot for slot in rows.tolist() if slot >= 0]
        scores = torch.zeros(len(rows), self._model.spec.decoder.vocab_size)
        if slots:
            chunks = [self._newest(slot, state) for slot in slots]
            size = self._cache.block_size
            batch = make_batch(chunks, block_size=size, device=state.device)
            scores[: len(slots)] = self.head(self._model.forward(batch, self._cache))
        return scores

    def head(self, hidden: Tensor) -> Tensor:
        return self._model.logits(hidden)

    def sample(self, logits: Tensor, state: DecodeState, rows: Tensor) -> Tensor:
        sampled = sample_tokens(logits, state.histories, rows)
        flag_repetition(state.histories, state.traces, rows, sampled[2])
        return sampled

    def _newest(self, slot: int, state: DecodeState) -> Chunk:
        return self._chunk(slot, state, 0)

    def _chunk(self, slot: int, state: DecodeState, count: int) -> Chunk:
        """The newest token and so many after it."""
        newest = int(state.lengths[slot]) - 1
        end = newest + 1 + count
        blocks = state.block_tables[slot, : (end - 1) // self._cache.block_size + 1]
        num_prompt = int(state.params[slot, PROMPT])
        tokens = state.tokens[slot, newest:end].tolist()
        return Chunk(tokens, newest, blocks.tolist(), num_prompt=num_prompt)


class PlainDraftStep(PlainStep):
    """Also steps with drafts; `passes` has the tokens of each."""

    def __init__(self, model: DeepseekOcr, cache: KVCache, max_rows: int) -> None:
        super().__init__(model, cache, max_rows)
        self.passes: list[int] = []

    def sample(self, logits: Tensor, state: DecodeState, rows: Tensor) -> Tensor:
        sampled = super().sample(logits, state, rows)
        return torch.cat((sampled, propose_drafts(state.histories, _tables(state), rows)[None]))

    def lay_out(self, rows: Tensor, state: DecodeState, num_drafts: int) -> DraftRows:
        return lay_out_drafts(
            *(state.histories, _tables(state), state.block_tables, rows),
            num_drafts=num_drafts,
            block_size=self._cache.block_size,
        )

    def draft_scores(self, layout: DraftRows, state: DecodeState) -> Tensor:
        scores = torch.zeros(len(layout.owners), self._model.spec.decoder.vocab_size)
        chunks, indices = [], []
        for row, slot in enumerate(layout.rows.tolist()):
            count, start = int(layout.counts[row]), int(layout.starts[row])
            if count >= 0:
                indices += [row, *range(start, start + count)]
                chunks.append(self._chunk(slot, state, count))
        self.passes.append(len(indices))
        if chunks:
            batch = make_batch(chunks, block_size=self._cache.block_size, device=state.device)
            scores[indices] = self.head(self._model.forward(batch, self._cache))
        return scores

    def sample_all(self, logits: Tensor, state: DecodeState, layout: DraftRows) -> Tensor:
        return sample_tokens(logits, state.histories, layout.owners, layout.positions)

    def keep(self, sampled: Tensor, state: DecodeState, layout: DraftRows) -> Tensor:
        tables = _tables(state)
        kept = accept_drafts(sampled, state.histories, tables, layout)
        runs = TokenRuns(kept, layout.starts)
        flag_repetition(state.histories, state.traces, layout.rows, sampled[2], runs)
        return torch.stack((kept, propose_drafts(state.histories, tables, layout.rows)))


def _tables(state: DecodeState) -> DraftTables:
    assert state.drafts is not None
    return state.drafts
