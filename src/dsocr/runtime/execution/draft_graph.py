"""CUDA graphs of steps with drafts, by rows and number of drafts, and the choice among them.

How many drafts a step has is known on the device alone. The host knows it of steps that are
collected: with few rows it waits for the one before, with many it goes by the last one collected
and launches ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from dsocr.runtime.execution.cuda_graph import skip_on_oom
from dsocr.runtime.execution.decode_graph import CapturedStep, DecodeState, capture_step
from dsocr.runtime.execution.draft_step import DraftOps
from dsocr.runtime.kernels.drafts.tables import MAX_DRAFT
from dsocr.runtime.kernels.tuning import draft_cost

MAX_DRAFTS = 1024
"""Drafts of all sequences in one step: each needs a row of logits."""
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256)
EACH = (1, 2, 4, 8, MAX_DRAFT)
"""Drafts per row that graphs are captured for."""


def draft_sizes(max_rows: int, max_drafts: int = MAX_DRAFTS) -> list[tuple[int, int]]:
    """(rows, drafts) of the steps that graphs are captured for, the smallest first."""
    buckets = sorted({min(size, max_rows) for size in (*ROWS, max_rows)})
    return [(rows, rows * each) for rows in buckets for each in EACH if rows * each <= max_drafts]


@dataclass(frozen=True, slots=True)
class DraftOutput:
    """A step's results on the device. The next step overwrites them."""

    results: Tensor
    """int32, 3 * T + 4 * B: `sampled`, then of each row the tokens kept, the index of its first
    draft, its drafts (below 0: no token), and the length of its next draft."""
    logits: Tensor
    """(T, vocabulary) float32, banned tokens at minus infinity; the first B are those of the
    newest tokens."""
    num_rows: int

    @property
    def sampled(self) -> Tensor:
        """(3, T) int32, see `kernels.sampling`; a view."""
        return self.results[: 3 * len(self.logits)].view(3, -1)


class DraftGraphs:
    """Steps with drafts by graph replay; without CUDA they are computed directly."""

    def __init__(
        self, ops: DraftOps, state: DecodeState, *, max_rows: int, max_drafts: int = MAX_DRAFTS
    ) -> None:
        self._ops, self._state = ops, state
        self._sizes = draft_sizes(max_rows, max_drafts)
        self._graphs: dict[tuple[int, int], CapturedStep[DraftOutput]] = {}
        self._skipped: set[tuple[int, int]] = set()
        self._captures = state.device.type == "cuda"

    def sizes(self, num_rows: int) -> list[tuple[int, int]]:
        """(rows, drafts) of the steps that can be computed for so many rows."""
        sizes = [*self._graphs] if self._captures else self._sizes
        bucket = min((rows for rows, _ in sizes if rows >= num_rows), default=0)
        return [size for size in sizes if size[0] == bucket]

    def choose(self, num_rows: int, expected: int, rate: float) -> tuple[int, int] | None:
        """The step that gives most tokens for its time if so many drafts are there, of which `rate`
        are right; None: one without drafts."""

        def tokens_by_cost(size: tuple[int, int]) -> float:
            rows, drafts = size
            return (num_rows + rate * min(expected, drafts)) / draft_cost(rows, drafts)

        best = max(self.sizes(num_rows), key=tokens_by_cost, default=None)
        return best if best is not None and tokens_by_cost(best) > num_rows else None

    def decode(self, slots: Sequence[int], size: tuple[int, int]) -> DraftOutput:
        """Enqueues a step for these slots."""
        num_rows, num_drafts = size
        if not self._captures:
            return self._run(self._state.padded(slots, num_rows), num_drafts)
        return self._graphs[size].replay(slots, self._state)

    def capture_one(self) -> bool:
        """Captures a missing graph, the largest first. False if none is missing."""
        known = self._graphs.keys() | self._skipped
        missing = [size for size in self._sizes if size not in known]
        if not (self._captures and missing):
            return False
        self.capture(missing[-1])
        return True

    def capture_first(self) -> None:
        """Captures the graphs of the most rows, and of a single one."""
        ends = self._sizes[0][0], self._sizes[-1][0]
        for size in reversed(self._sizes):
            if self._captures and size[0] in ends:
                self.capture(size)

    def capture(self, size: tuple[int, int]) -> None:
        """Captures one graph; one that does not fit is not tried again."""
        num_rows, num_drafts = size
        run = partial(self._run, num_drafts=num_drafts)
        self._skipped.add(size)
        with skip_on_oom():
            self._graphs[size] = capture_step(
                run, num_rows, self._state.device, num_tokens=num_rows + num_drafts
            )
            self._skipped.remove(size)

    @torch.inference_mode()
    def _run(self, rows: Tensor, num_drafts: int) -> DraftOutput:
        ops, state = self._ops, self._state
        layout = ops.lay_out(rows, state, num_drafts)
        logits = ops.draft_scores(layout, state)
        sampled = ops.sample_all(logits, state, layout)
        kept, following = ops.keep(sampled, state, layout)
        results = (sampled.flatten(), kept, layout.starts, layout.counts, following)
        return DraftOutput(torch.cat(results), logits, len(rows))
