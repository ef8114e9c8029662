"""Decode steps without kernels: the device tables served by the plain model."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from dsocr.runtime.cache.batch import Chunk, make_batch
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.decode_graph import DecodeState
from dsocr.runtime.execution.graph_runner import Prefill
from dsocr.runtime.kernels.repetition_flags import flag_repetition
from dsocr.runtime.kernels.sampling import PROMPT, sample_tokens
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr


def plain_steps(model: DeepseekOcr, cache: KVCache, max_rows: int) -> tuple[Prefill, PlainStep]:
    return partial(model.forward, cache=cache), PlainStep(model, cache, max_rows)


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
        newest = int(state.lengths[slot]) - 1
        blocks = state.block_tables[slot, : newest // self._cache.block_size + 1]
        num_prompt = int(state.params[slot, PROMPT])
        token = int(state.tokens[slot, newest])
        return Chunk([token], newest, blocks.tolist(), num_prompt=num_prompt)
