"""One decoded token of every running sequence as one CUDA graph; what the device must know for it.

Nothing here waits for the device. A sequence that decodes owns a slot, a row of the tables in
`DecodeState`; a step is told the slots, reads their newest tokens and writes the next ones down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.decode_step import DecodeStep
from dsocr.runtime.kernels.choice import (
    LENGTH,
    LIMIT,
    NGRAM,
    NUM_FIELDS,
    PROMPT,
    WINDOW,
    Histories,
)
from dsocr.runtime.kernels.paged_attention import Sequences
from dsocr.runtime.kv_cache import KVCache
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.ngram import NoRepeat

BUCKETS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256)


class DecodeState:
    """Tables of all slots, on the device: tokens, blocks, parameters."""

    def __init__(
        self,
        *,
        num_slots: int,
        max_positions: int,
        max_blocks: int,
        exempt: Sequence[int],
        end: int,
        device: torch.device,
    ) -> None:
        def table(width: int) -> Tensor:
            return torch.zeros(num_slots, width, dtype=torch.int32, device=device)

        self.tokens = table(max_positions)
        self.params = table(NUM_FIELDS)
        self.block_tables = table(max_blocks)
        self.device = device
        self.histories = Histories(
            self.tokens,
            self.params,
            torch.tensor(exempt, dtype=torch.int32, device=device),
            end,
        )

    @property
    def lengths(self) -> Tensor:
        """(slots,) int32 tokens known."""
        return self.params[:, LENGTH]

    def load(
        self,
        slot: int,
        tokens: Sequence[int],
        block_table: Sequence[int],
        *,
        num_prompt: int,
        limit: int,
        no_repeat: NoRepeat | None = None,
    ) -> None:
        """A sequence takes the slot: its tokens so far, its blocks and its rules.

        `limit` is the most tokens there may be, the prompt's counted.
        """
        params = [0] * NUM_FIELDS
        params[LENGTH], params[PROMPT], params[LIMIT] = len(tokens), num_prompt, limit
        if no_repeat is not None:
            params[NGRAM], params[WINDOW] = no_repeat.ngram, no_repeat.window or 0
        news = self._send([*params, *tokens, *block_table])
        parts = news.split([NUM_FIELDS, len(tokens), len(block_table)])
        for table, part in zip(
            (self.params, self.tokens, self.block_tables), parts, strict=True
        ):
            table[slot, : len(part)] = part

    def grow(self, blocks: Sequence[tuple[int, int, int]]) -> None:
        """Further blocks, as (slot, place in its table, block)."""
        if blocks:
            slots, places, numbers = self._send([*zip(*blocks, strict=True)])
            self.block_tables[slots.long(), places.long()] = numbers

    def sequences(self, rows: Tensor) -> Sequences:
        return Sequences(rows, self.lengths, self.block_tables)

    def _send(self, values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        """int32 to the device without waiting."""
        pinned = self.device.type == "cuda"
        there = torch.tensor(values, dtype=torch.int32, pin_memory=pinned)
        return there.to(self.device, non_blocking=True)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A step's results on the device. The next step of the same size writes over them."""

    choices: Tensor
    """(3, B) int32: tokens, log-probabilities (float32's bits), flags (see `kernels.choice`)."""
    logits: Tensor
    """(B, vocabulary) float32, the banned tokens taken out."""


@dataclass(frozen=True, slots=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    rows: Tensor
    chosen: Chosen


class DecodeGraph:
    """Replays a step for as many rows as are asked for, padded to the next bucket."""

    def __init__(
        self,
        model: DeepseekOcr,
        cache: KVCache,
        state: DecodeState,
        *,
        buckets: Sequence[int] = BUCKETS,
    ) -> None:
        self.step_of = DecodeStep(model, cache, max_rows=max(buckets))
        self.state = state
        self._buckets = sorted(buckets)
        self._device = model.device
        self._graphs: dict[int, _Captured] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def step(self, slots: Sequence[int]) -> Chosen:
        """The next token of each slot, enqueued; results have the bucket's rows, these first."""
        bucket = next(size for size in self._buckets if size >= len(slots))
        captured = self.capture(bucket)
        padded = [*slots, *[-1] * (bucket - len(slots))]
        rows = torch.tensor(padded, dtype=torch.int32, pin_memory=True)
        captured.rows.copy_(rows, non_blocking=True)
        captured.graph.replay()
        return captured.chosen

    def capture(self, bucket: int) -> _Captured:
        """The bucket's graph, made if need be."""
        captured = self._graphs.get(bucket)
        if captured is None:
            captured = self._graphs[bucket] = self._capture(bucket)
        return captured

    def _capture(self, bucket: int) -> _Captured:
        rows = torch.full((bucket,), -1, dtype=torch.int32, device=self._device)
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            self._run(rows)  # kernels are compiled, libraries make their plans
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=stream):
            chosen = self._run(rows)
        return _Captured(graph, rows, chosen)

    @torch.inference_mode()
    def _run(self, rows: Tensor) -> Chosen:
        logits = self.step_of.scores(rows, self.state)
        return Chosen(self.step_of.choose(logits, self.state, rows), logits)
