"""What the host knows of drafts that are looked up on the device, and what it decides by it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import reduce

from dsocr.runtime.execution.decode_graph import Cells, DecodeState
from dsocr.runtime.execution.draft_graph import DraftGraphs, DraftOutput
from dsocr.runtime.kernels.drafts.tables import (
    BOX,
    CAPACITY,
    FIRST_DRAFT,
    MAX_DRAFT,
    MAX_REFERENCE,
    MOST,
    NEXT,
    NUM_DRAFT_FIELDS,
    NUM_REFERENCE,
    PUSHED,
    SIZE,
)
from dsocr.runtime.scheduling.sequence import Sequence as Page
from dsocr.runtime.text.draft_lookup import END

WAITING_ROWS = 8
"""With at most so many rows a step waits for the one before: its number of drafts is then known."""
WORTH_WAITING = 0.35
"""Drafted tokens that a row keeps in a step, on average: with fewer no step waits."""
USUAL_RATE, USUAL_WEIGHT = 0.4, 8
"""The share of drafted tokens that is right, before any is counted, and the drafted tokens that it
counts as."""
DECAY = 0.97
"""What of the counts remains after each step."""


class DeviceDrafts:
    """The drafts of all slots. For one thread."""

    def __init__(self, graphs: DraftGraphs, state: DecodeState, block_size: int) -> None:
        assert state.drafts is not None
        self.graphs, self._tables = graphs, state.drafts
        self._to_device, self._block_size = state.to_device, block_size
        self._expected = [0] * len(state.tokens)
        self._num_rows, self._gain = 0, 1.0
        self._drafted = self._accepted = 0.0

    @property
    def waits(self) -> bool:
        """Whether the next step is to be launched after the one before is collected."""
        return 0 < self._num_rows <= WAITING_ROWS and self._gain > WORTH_WAITING

    @property
    def rate(self) -> float:
        """The share of drafted tokens that was right of late."""
        usual = USUAL_RATE * USUAL_WEIGHT
        return (self._accepted + usual) / (self._drafted + USUAL_WEIGHT)

    def decode(self, slots: Sequence[int]) -> DraftOutput | None:
        """Enqueues a step with drafts for these slots; None where one without drafts is better."""
        self._num_rows = len(slots)
        expected = sum(self._expected[slot] for slot in slots)
        if not expected:
            return None
        size = self.graphs.choose(len(slots), expected, self.rate)
        return None if size is None else self.graphs.decode(slots, size)

    def record(
        self, slots: Sequence[int], following: Sequence[int], drafted: int = 0, accepted: int = 0
    ) -> None:
        """Takes down the lengths of these slots' next drafts, and the drafted tokens of the step
        that is collected."""
        for slot, length in zip(slots, following, strict=False):  # and padding
            self._expected[slot] = length
        self._gain = DECAY * self._gain + (1 - DECAY) * accepted / max(1, len(slots))
        self._drafted = DECAY * self._drafted + drafted
        self._accepted = DECAY * self._accepted + accepted

    def upload(self, slot: int, page: Page) -> None:
        """Assigns the slot to a page: its references, and the state after its output so far."""
        known = page.references
        has_drafts = known is not None and page.params.temperature == 0
        tokens = known.tokens[:MAX_REFERENCE] if known is not None and has_drafts else array("i")
        state = [0] * NUM_DRAFT_FIELDS
        state[CAPACITY] = len(page.block_table) * self._block_size
        state[NEXT], state[SIZE] = END, FIRST_DRAFT
        state[MOST] = MAX_DRAFT if has_drafts else 0
        state[BOX] = reduce(self._tables.grammar.box_after, page.output_ids, 0)
        state[PUSHED], state[NUM_REFERENCE] = len(page.output_ids), len(tokens)
        self._tables.state[slot] = self._to_device(state)
        if tokens:
            self._tables.references[slot, : len(tokens)] = self._to_device(tokens)
        self._expected[slot] = 0

    def capacity_cells(self, capacities: Sequence[tuple[int, int]]) -> Cells:
        """The cells of slots' capacities, the positions in their blocks."""
        places = [slot * NUM_DRAFT_FIELDS + CAPACITY for slot, _ in capacities]
        return Cells(self._tables.state, places, [number for _, number in capacities])
