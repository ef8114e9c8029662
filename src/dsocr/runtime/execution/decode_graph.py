"""CUDA graphs of a decode step, one token for every sequence, and the device tables they read.

Nothing here synchronizes with the device. A decoding sequence has a slot, a row of the tables in
`DecodeState`. A step takes slots, reads their newest tokens and appends the sampled ones.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from dsocr.runtime.execution.cuda_graph import capture, graph_pool, skip_on_oom
from dsocr.runtime.kernels.decode_attention import DecodeSequences
from dsocr.runtime.kernels.drafts.tables import DraftTables, make_draft_tables
from dsocr.runtime.kernels.repetition_flags import CHECK_OFF, make_repetition_state
from dsocr.runtime.kernels.sampling import (
    GUARDS_PROMPT,
    LENGTH,
    LIMIT,
    NGRAM,
    NGRAM_WINDOW,
    NUM_FIELDS,
    PROMPT,
    REPETITION_CHECK,
    TokenHistories,
)
from dsocr.runtime.text.draft_lookup import Grammar
from dsocr.types import NoRepeat

OutputT = TypeVar("OutputT")

MISSES_BEFORE_CAPTURE = 64
"""Steps of one bucket that run in a larger graph before its own is captured, unless the runtime is
idle before."""

BYTES_PER_ROW = 256 << 10
"""Memory of a step's intermediate values, at most; its logits are allocated elsewhere."""

BUCKETS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256)


@dataclass(frozen=True, slots=True)
class Cells:
    """Numbers for single cells of a table; a place counts the columns of all rows before it."""

    table: Tensor
    places: list[int]
    numbers: list[int]


class DecodeState:
    """Tables on the device with a row per slot: tokens, blocks, parameters."""

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
        grammar: Grammar | None = None,
    ) -> None:
        """`exempt` and `end` as in `TokenHistories`. `digits` are the tokens that the
        repetition check leaves out to find counting; empty: no check. With a `grammar` the
        sequences have drafts."""

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
        self.drafts: DraftTables | None = None
        if grammar is not None:
            self.drafts = make_draft_tables(num_slots, grammar, device)

    @property
    def lengths(self) -> Tensor:
        """Known tokens of each slot, (slots,) int32."""
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
        guards_prompt: bool = False,
        repetition_check: int = CHECK_OFF,
    ) -> None:
        """Assigns the slot to a sequence: its tokens so far, its blocks and its rules.

        `limit` counts prompt and output tokens; `guards_prompt` as in `Sequence`.
        `repetition_check` is a constant of `kernels.repetition_flags`: CHECK_OFF, CHECK_ON or
        CHECK_ALWAYS.
        """
        params = [0] * NUM_FIELDS
        params[REPETITION_CHECK], params[GUARDS_PROMPT] = repetition_check, int(guards_prompt)
        params[LENGTH], params[PROMPT], params[LIMIT] = len(tokens), num_prompt, limit
        if no_repeat is not None:
            params[NGRAM], params[NGRAM_WINDOW] = no_repeat.ngram, no_repeat.window or 0
        values = self.to_device([*params, *tokens, *block_table])
        parts = torch.split(values, [NUM_FIELDS, len(tokens), len(block_table)])
        for table, part in zip((self.params, self.tokens, self.block_tables), parts, strict=True):
            table[slot, : len(part)] = part

    def block_cells(self, blocks: Sequence[tuple[int, int, int]]) -> Cells:
        """The cells of blocks, given as (slot, index in its table, block)."""
        width = self.block_tables.shape[1]
        places = [slot * width + index for slot, index, _ in blocks]
        return Cells(self.block_tables, places, [number for _, _, number in blocks])

    def write(self, cells: Sequence[Cells]) -> None:
        """Writes cells of several tables, in one transfer to the device."""
        cells = [one for one in cells if one.places]
        if not cells:
            return
        places = [place for one in cells for place in one.places]
        numbers = [number for one in cells for number in one.numbers]
        at, values = self.to_device([places, numbers])
        sizes = [len(one.places) for one in cells]
        parts = zip(cells, at.long().split(sizes), values.split(sizes), strict=True)
        for one, part, part_values in parts:
            one.table.view(-1).index_copy_(0, part, part_values)

    def sequences(self, rows: Tensor) -> DecodeSequences:
        """The arguments of decode attention for these slots."""
        return DecodeSequences(rows, self.lengths, self.block_tables, self.params[:, PROMPT])

    def to_device(self, values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        """int32 values on the device, copied asynchronously."""
        pinned = self.device.type == "cuda"
        if isinstance(values, array):  # torch reads one number after another otherwise
            host = torch.frombuffer(values, dtype=torch.int32)
            host = host.pin_memory() if pinned else host.clone()
        else:
            host = torch.tensor(values, dtype=torch.int32, pin_memory=pinned)
        return host.to(self.device, non_blocking=True)

    def padded(self, slots: Sequence[int], num_rows: int) -> Tensor:
        """The rows of a step on the device: these slots, then -1."""
        return self.to_device([*slots, *[-1] * (num_rows - len(slots))])


class DecodeOps(Protocol):
    """The computations of a decode step, all on the device and asynchronous; `DecodeStep` has them
    by kernels."""

    def scores(self, rows: Tensor, state: DecodeState) -> Tensor:
        """float32 logits (B, vocabulary) after the newest token of these slots; rows below 0 are
        padding."""

    def head(self, hidden: Tensor) -> Tensor:
        """float32 logits of hidden states (B, hidden) after the final norm."""

    def sample(self, logits: Tensor, state: DecodeState, rows: Tensor) -> Tensor:
        """Samples the next token of each slot and appends it to the slot's tokens. Returns (3, B),
        see `kernels.sampling`, with the flags of `kernels.repetition_flags` added."""


@dataclass(frozen=True, slots=True)
class DecodeOutput:
    """A step's results on the device. The next step overwrites them."""

    sampled: Tensor
    """(3, B) int32: tokens, log-probabilities (bits of float32), flags (`kernels.sampling` and
    `kernels.repetition_flags`); where sequences have drafts a fourth row, their lengths in the next
    step."""
    logits: Tensor
    """(B, vocabulary) float32, banned tokens at minus infinity."""


@dataclass(slots=True)
class CapturedStep(Generic[OutputT]):
    """A graph of a step for so many rows, and what it reads and writes."""

    graph: torch.cuda.CUDAGraph
    rows: Tensor
    output: OutputT
    slots: Sequence[int] = ()
    """What `rows` holds, without the padding: mostly those of the step before."""

    def replay(self, slots: Sequence[int], state: DecodeState) -> OutputT:
        if slots != self.slots:
            self.rows.copy_(state.padded(slots, len(self.rows)))
            self.slots = slots
        self.graph.replay()
        return self.output


def capture_step(
    run: Callable[[Tensor], OutputT], num_rows: int, device: torch.device, *, num_tokens: int
) -> CapturedStep[OutputT]:
    """Captures a step of `num_tokens` tokens. Raises as `cuda_graph.capture`."""
    rows = torch.full((num_rows,), -1, dtype=torch.int32, device=device)
    graph, output = capture(
        lambda: run(rows), graph_pool(device), needed_bytes=BYTES_PER_ROW * num_tokens
    )
    return CapturedStep(graph, rows, output)


class DecodeGraph:
    """Decode steps by graph replay, padded to the next bucket of rows; without CUDA they are
    computed directly."""

    def __init__(
        self, ops: DecodeOps, state: DecodeState, *, max_rows: int, buckets: Sequence[int] = BUCKETS
    ) -> None:
        self._ops, self._state = ops, state
        self._buckets = sorted({min(size, max_rows) for size in (*buckets, max_rows)})
        self._graphs: dict[int, CapturedStep[DecodeOutput]] = {}
        self._misses: Counter[int] = Counter()
        self._skipped: set[int] = set()
        self._captures = state.device.type == "cuda"

    def decode(self, slots: Sequence[int]) -> DecodeOutput:
        """Enqueues a step for these slots; the results have the bucket's rows, the slots' first.
        `ensure_graph` must have been called for as many rows."""
        if not self._captures:
            bucket = self._bucket(len(slots))
            return self._run(self._state.padded(slots, bucket))
        bucket = min(bucket for bucket in self._graphs if bucket >= len(slots))
        return self._graphs[bucket].replay(slots, self._state)

    def ensure_graph(self, num_rows: int) -> None:
        """Captures a graph for that many rows if no graph is large enough, or if a larger one was
        used often. A capture takes as long as many steps, and all pages wait for it."""
        bucket = self._bucket(num_rows)
        if not self._captures or bucket in self._graphs:
            return
        if bucket > max(self._graphs, default=0):
            self.capture(num_rows)
            return
        if bucket in self._skipped:
            return
        self._misses[bucket] += 1
        if self._misses[bucket] > MISSES_BEFORE_CAPTURE:
            self._misses[bucket] = 0
            self._capture_or_skip(bucket)

    def capture(self, num_rows: int) -> None:
        """Captures the graph for that many rows, if there is none."""
        bucket = self._bucket(num_rows)
        if self._captures and bucket not in self._graphs:
            self._graphs[bucket] = self._capture(bucket)

    def capture_one(self) -> bool:
        """Captures a missing graph, the largest first, since smaller ones reuse its memory. False
        if none is missing."""
        known = self._graphs.keys() | self._skipped
        missing = [bucket for bucket in self._buckets if bucket not in known]
        if not (self._captures and missing):
            return False
        self._capture_or_skip(missing[-1])
        return True

    def _capture_or_skip(self, bucket: int) -> None:
        """A graph that does not fit is not tried again; a larger one is used in its place."""
        self._skipped.add(bucket)
        with skip_on_oom():
            self.capture(bucket)
            self._skipped.remove(bucket)

    def _bucket(self, num_rows: int) -> int:
        return next(size for size in self._buckets if size >= num_rows)

    def _capture(self, bucket: int) -> CapturedStep[DecodeOutput]:
        return capture_step(self._run, bucket, self._state.device, num_tokens=bucket)

    @torch.inference_mode()
    def _run(self, rows: Tensor) -> DecodeOutput:
        logits = self._ops.scores(rows, self._state)
        return DecodeOutput(self._ops.sample(logits, self._state, rows), logits)
