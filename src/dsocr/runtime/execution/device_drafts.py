"""What the host knows of drafts that are looked up on the device, and what it decides by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dsocr.runtime.execution.decode_graph import DecodeState
from dsocr.runtime.execution.draft_graph import DraftGraphs, DraftOutput
from dsocr.runtime.kernels.drafts.tables import (
    CAPACITY,
    FIRST_DRAFT,
    IN_BOX,
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
"""With at most so many rows a step waits for the one before, if drafts were found of late: its
number of drafts is then known."""
QUIET_STEPS = 8
"""Steps without a draft after which no step waits."""
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
        self._num_rows = self._quiet = 0
        self._drafted = self._accepted = 0.0

    @property
    def lookahead(self) -> int:
        """Steps to launch before the one before them is collected."""
        waits = 0 < self._num_rows <= WAITING_ROWS and self._quiet < QUIET_STEPS
        return 0 if waits else 1

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

    def record(self, slots: Sequence[int], following: Sequence[int]) -> None:
        """Takes down the lengths of these slots' next drafts, of a step that is collected."""
        for slot, length in zip(slots, following, strict=False):  # and padding
            self._expected[slot] = length
        self._quiet = 0 if any(following) else self._quiet + 1
        self._drafted *= DECAY
        self._accepted *= DECAY

    def count(self, drafted: int, accepted: int) -> None:
        """Counts a draft and how many of its tokens were right."""
        self._drafted += drafted
        self._accepted += accepted

    def upload(self, slot: int, page: Page) -> None:
        """Assigns the slot to a page: its references, and the state after its output so far."""
        known = page.references
        has_drafts = known is not None and page.params.temperature == 0
        tokens = known.tokens[: MAX_REFERENCE - 1] if known is not None and has_drafts else []
        tokens = [*tokens, END] if tokens else []
        state = [0] * NUM_DRAFT_FIELDS
        state[CAPACITY] = len(page.block_table) * self._block_size
        state[NEXT], state[SIZE] = END, FIRST_DRAFT
        state[MOST] = MAX_DRAFT if has_drafts else 0
        state[IN_BOX] = int(self._is_in_box(page.output_ids))
        state[PUSHED], state[NUM_REFERENCE] = len(page.output_ids), len(tokens)
        values = self._to_device([*state, *tokens])
        self._tables.state[slot] = values[: len(state)]
        self._tables.references[slot, : len(tokens)] = values[len(state) :]
        self._expected[slot] = 0

    def set_capacities(self, capacities: Sequence[tuple[int, int]]) -> None:
        """Takes down the positions in the blocks of slots."""
        if capacities:
            places = [slot * NUM_DRAFT_FIELDS + CAPACITY for slot, _ in capacities]
            at, values = self._to_device([places, [number for _, number in capacities]])
            self._tables.state.view(-1).index_copy_(0, at.long(), values)

    def _is_in_box(self, output_ids: Iterable[int]) -> bool:
        is_in_box = False
        for token in output_ids:
            if token in (self._tables.box_start, self._tables.box_end):
                is_in_box = token == self._tables.box_start
        return is_in_box
