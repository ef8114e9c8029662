"""One decoded token of every running sequence as one CUDA graph; what the device must know for it.

Nothing here waits for the device. A sequence that decodes owns a slot, a row of the tables in
`DecodeState`; a step is told the slots, reads their newest tokens and writes the next ones down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dsocr.runtime.execution.cuda_graph import capture, lane_of, skip_on_oom
from dsocr.runtime.kernels.decode_attention import DecodeSequences
from dsocr.runtime.kernels.repetition_flags import CHECK_OFF, make_repetition_state
from dsocr.runtime.kernels.sampling import (
    LENGTH,
    LIMIT,
    NGRAM,
    NGRAM_WINDOW,
    NUM_FIELDS,
    PROMPT,
    REPETITION_CHECK,
    TokenHistories,
)
from dsocr.runtime.text.ngram import NoRepeat

PATIENCE = 64
"""Steps of so many rows that make do with a larger graph before theirs is made, unless there is a
quiet moment for it."""

BYTES_A_ROW = 256 << 10
"""What a step computes in, at most; its scores lie elsewhere."""

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
        digits: Collection[int] = (),
    ) -> None:
        """`digits` are the tokens that loops are looked for without, where they are looked for."""

        def table(width: int) -> Tensor:
            return torch.zeros(num_slots, width, dtype=torch.int32, device=device)

        self.tokens = table(max_positions)
        self.params = table(NUM_FIELDS)
        self.block_tables = table(max_blocks)
        self.device = device
        self.histories = TokenHistories(
            self.tokens,
            self.params,
            torch.tensor(exempt, dtype=torch.int32, device=device),
            end,
        )
        self.traces = make_repetition_state(self.tokens, digits)

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
        watch: int = CHECK_OFF,
    ) -> None:
        """A sequence takes the slot: its tokens so far, its blocks and its rules.

        `limit` is the most tokens there may be, the prompt's counted. `watch` is as in
        `kernels.repetition_flags`.
        """
        params = [0] * NUM_FIELDS
        params[REPETITION_CHECK] = watch
        params[LENGTH], params[PROMPT], params[LIMIT] = len(tokens), num_prompt, limit
        if no_repeat is not None:
            params[NGRAM], params[NGRAM_WINDOW] = no_repeat.ngram, no_repeat.window or 0
        news = self.send([*params, *tokens, *block_table])
        parts = torch.split(news, [NUM_FIELDS, len(tokens), len(block_table)])
        for table, part in zip((self.params, self.tokens, self.block_tables), parts, strict=True):
            table[slot, : len(part)] = part

    def grow(self, blocks: Sequence[tuple[int, int, int]]) -> None:
        """Further blocks, as (slot, place in its table, block)."""
        if blocks:
            slots, places, numbers = self.send([*zip(*blocks, strict=True)])
            self.block_tables[slots.long(), places.long()] = numbers

    def sequences(self, rows: Tensor) -> DecodeSequences:
        return DecodeSequences(rows, self.lengths, self.block_tables)

    def send(self, values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        """int32 to the device without waiting."""
        pinned = self.device.type == "cuda"
        there = torch.tensor(values, dtype=torch.int32, pin_memory=pinned)
        return there.to(self.device, non_blocking=True)


class Step(Protocol):
    """The computation; `DecodeStep` is one. All is on the device and nothing waits for it."""

    def scores(self, rows: Tensor, state: DecodeState) -> Tensor:
        """float32 (B, vocabulary) of what follows the newest token of these slots; below 0 are
        nobody's."""

    def head(self, hidden: Tensor) -> Tensor:
        """The same of hidden states (B, hidden) after the final norm."""

    def choose(self, logits: Tensor, state: DecodeState, rows: Tensor) -> Tensor:
        """Writes the next token of each slot down; (3, B), see `kernels.sampling.sample_tokens`,
        the flags with those of `kernels.repetition_flags.flag_repetition`."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A step's results on the device. The next step writes over them."""

    choices: Tensor
    """(3, B) int32: tokens, log-probabilities (float32's bits), flags (see `kernels.sampling` and
    `kernels.repetition_flags`)."""
    logits: Tensor
    """(B, vocabulary) float32, the banned tokens taken out."""


@dataclass(frozen=True, slots=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    rows: Tensor
    chosen: Chosen


class DecodeGraph:
    """Replays a step for as many rows as are asked for, padded to the next bucket. Where there is
    no CUDA it just computes."""

    def __init__(
        self, step: Step, state: DecodeState, *, max_rows: int, buckets: Sequence[int] = BUCKETS
    ) -> None:
        self._step, self._state = step, state
        self._buckets = sorted({min(size, max_rows) for size in (*buckets, max_rows)})
        self._graphs: dict[int, _Captured] = {}
        self._misses: Counter[int] = Counter()
        self._spared: set[int] = set()
        self._captures = state.device.type == "cuda"

    def step(self, slots: Sequence[int]) -> Chosen:
        """The next token of each slot, enqueued; results have the bucket's rows, these first. To be
        prepared before."""
        if not self._captures:
            bucket = self._bucket(len(slots))
            return self._run(self._rows(slots, bucket))
        bucket = min(bucket for bucket in self._graphs if bucket >= len(slots))
        captured = self._graphs[bucket]
        captured.rows.copy_(self._rows(slots, bucket))
        captured.graph.replay()
        return captured.chosen

    def prepare(self, num_rows: int) -> None:
        """Sees to it that there is a graph for so many rows. A larger one will do for a while: to
        make one takes as long as many steps, and all pages would wait for it."""
        bucket = self._bucket(num_rows)
        if not self._captures or bucket in self._graphs:
            return
        if bucket > max(self._graphs, default=0):
            self.capture(num_rows)
            return
        if bucket in self._spared:
            return
        self._misses[bucket] += 1
        if self._misses[bucket] > PATIENCE:
            self._misses[bucket] = 0
            self._capture_or_spare(bucket)

    def capture(self, num_rows: int) -> None:
        """Makes the graph for so many rows, if it is not there."""
        bucket = self._bucket(num_rows)
        if self._captures and bucket not in self._graphs:
            self._graphs[bucket] = self._capture(bucket)

    def capture_one(self) -> bool:
        """One that is not there, the largest first: the others compute in what it took. False where
        all were tried."""
        known = self._graphs.keys() | self._spared
        missing = [bucket for bucket in self._buckets if bucket not in known]
        if not (self._captures and missing):
            return False
        self._capture_or_spare(missing[-1])
        return True

    def _capture_or_spare(self, bucket: int) -> None:
        """One that does not fit now is not tried again; the larger goes on standing in."""
        self._spared.add(bucket)
        with skip_on_oom():
            self.capture(bucket)
            self._spared.remove(bucket)

    def _rows(self, slots: Sequence[int], bucket: int) -> Tensor:
        return self._state.send([*slots, *[-1] * (bucket - len(slots))])

    def _bucket(self, num_rows: int) -> int:
        return next(size for size in self._buckets if size >= num_rows)

    def _capture(self, bucket: int) -> _Captured:
        device = self._state.device
        rows = torch.full((bucket,), -1, dtype=torch.int32, device=device)
        graph, chosen = capture(
            lambda: self._run(rows), lane_of(device), needed_bytes=BYTES_A_ROW * bucket
        )
        return _Captured(graph, rows, chosen)

    @torch.inference_mode()
    def _run(self, rows: Tensor) -> Chosen:
        logits = self._step.scores(rows, self._state)
        return Chosen(self._step.choose(logits, self._state, rows), logits)
