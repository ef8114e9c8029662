"""The runner that stays ahead of the host: steps are enqueued, tokens stay on the device.

Pages are encoded as `ModelRunner` does; the first token of an answer and all that follow are chosen
on the device. A step that ran out of memory half way can be launched again, once those before it
were collected: its pages are then told to the device anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Sequence as Many

import torch
from torch import Tensor

from dsocr.runtime.cache.batch import Batch, make_batch
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.decode_graph import Chosen, DecodeGraph, DecodeState
from dsocr.runtime.execution.decode_graph import Step as Decode
from dsocr.runtime.execution.decode_step import DecodeStep
from dsocr.runtime.execution.model_runner import Launched, ModelRunner
from dsocr.runtime.execution.prefill_step import PrefillStep
from dsocr.runtime.execution.sampler import Choice, NotANumber, Sampled, draw
from dsocr.runtime.kernels.repetition_flags import CHECK_ALWAYS, CHECK_OFF, CHECK_ON, MAY_REPEAT
from dsocr.runtime.kernels.sampling import END, FULL, NOT_A_NUMBER, STUCK
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.scheduler import ScheduledChunk, Step
from dsocr.runtime.scheduling.sequence import Ending, Sequence
from dsocr.runtime.text.tokenizer import SpecialTokens

Prefill = Callable[[Batch], Tensor]
"""A batch of prompts to hidden states (T, hidden) after the final norm; fills the cache."""
MakeSteps = Callable[[DeepseekOcr, KVCache, int], tuple[Prefill, Decode]]
"""From the model, the cache and the most rows that decode."""


def kernel_steps(model: DeepseekOcr, cache: KVCache, max_rows: int) -> tuple[Prefill, Decode]:
    return PrefillStep(model, cache).hidden, DecodeStep(model, cache, max_rows)


class GraphRunner(ModelRunner):
    """Owns the tables of all slots and the graphs."""

    def __init__(
        self,
        model: DeepseekOcr,
        *,
        num_tokens: int,
        max_num_seqs: int,
        special: SpecialTokens,
        digits: Collection[int] = (),
        cache_dtype: torch.dtype | None = None,
        make_steps: MakeSteps = kernel_steps,
    ) -> None:
        super().__init__(model, num_tokens=num_tokens, cache_dtype=cache_dtype)
        positions = model.spec.decoder.max_positions
        self.state = DecodeState(
            num_slots=max_num_seqs,
            max_positions=positions,
            max_blocks=-(-positions // BLOCK_SIZE),
            exempt=sorted(special.cells),
            end=special.eos,
            device=model.device,
            digits=digits,
        )
        self._prefill, self._decode = make_steps(model, self.cache, max_num_seqs)
        self.graph = DecodeGraph(self._decode, self.state, max_rows=max_num_seqs)
        self.graph.capture(max_num_seqs)
        self.graph.capture(1)
        # what the device knows of each slot: which block table, and how much of it. A slot is
        # current if this is its sequence's very list, which changes whenever it is put away
        self._uploaded: list[list[int] | None] = [None] * max_num_seqs
        self._num_blocks = [0] * max_num_seqs

    def make_ready(self) -> bool:
        return super().make_ready() or self.graph.capture_one()

    @torch.inference_mode()
    def launch(self, step: Step) -> Launched:
        try:
            return self._launch(step)
        except RuntimeError:
            # half of it is done: what the device knows of these pages is told anew
            for piece in step.pieces:
                if piece.sequence.slot is not None:
                    self._uploaded[piece.sequence.slot] = None
            raise

    def _launch(self, step: Step) -> Launched:
        self._encode([one for one in step.starts if not one.ended])
        flight = _Flight(len(step.pieces))
        places = [place for place, one in enumerate(step.pieces) if not one.sequence.ended]
        decodes = [place for place in places if place < step.num_decodes]
        chunks = [place for place in places if place >= step.num_decodes]
        if decodes:
            self.graph.prepare(len(decodes))
        if chunks:
            self._take_in([step.pieces[place] for place in chunks], chunks, flight)
        if decodes:
            sequences = [step.pieces[place].sequence for place in decodes]
            self._sync_slots(sequences)
            chosen = self.graph.step([_slot(one) for one in sequences])
            self._copy_out(chosen, sequences, decodes, flight)
        flight.leave()
        return flight

    def _take_in(self, pieces: Many[ScheduledChunk], places: Many[int], flight: _Flight) -> None:
        """Prompts into the cache; of those that are complete the first token of the answer."""
        chunks = [piece.sequence.chunk(piece.start, piece.length) for piece in pieces]
        batch = make_batch(chunks, block_size=BLOCK_SIZE, device=self.model.device)
        hidden = self._prefill(batch)
        asked = [number for number, piece in enumerate(pieces) if piece.samples]
        if not asked:
            return
        sequences = [pieces[number].sequence for number in asked]
        last = self.state.send([batch.last_rows[number] for number in asked])
        rows = self.state.send([_slot(one) for one in sequences])
        logits = self._decode.head(hidden[last.long()])
        for sequence in sequences:
            self._upload(sequence)
        chosen = Chosen(self._decode.choose(logits, self.state, rows), logits)
        self._copy_out(chosen, sequences, [places[number] for number in asked], flight)

    def _sync_slots(self, sequences: Many[Sequence]) -> None:
        """Tells the device of blocks that were added, and of sequences that it does not hold: one
        that was put away and came back may have but its newest token to compute."""
        grown = []
        for sequence in sequences:
            slot, table = _slot(sequence), sequence.block_table
            if self._uploaded[slot] is not table:
                self._upload(sequence)
                continue
            for place in range(self._num_blocks[slot], len(table)):
                grown.append((slot, place, table[place]))
            self._num_blocks[slot] = len(table)
        self.state.grow(grown)

    def _upload(self, sequence: Sequence) -> None:
        slot, table = _slot(sequence), sequence.block_table
        self._uploaded[slot], self._num_blocks[slot] = table, len(table)
        self.state.load(
            slot,
            [*sequence.prompt_ids, *sequence.output_ids],
            table,
            num_prompt=len(sequence.prompt_ids),
            limit=len(sequence.prompt_ids) + sequence.room,
            no_repeat=sequence.params.no_repeat,
            watch=_how_watched(sequence),
        )

    def _copy_out(
        self, chosen: Chosen, sequences: Many[Sequence], places: Many[int], flight: _Flight
    ) -> None:
        for row, sequence in enumerate(sequences):
            if sequence.params.temperature > 0:
                self._draw(chosen, row, sequence)
        flight.take(chosen.choices, places)

    def _draw(self, chosen: Chosen, row: int, sequence: Sequence) -> None:
        """Another token in place of the best one. Every index is a tensor: a number would be asked
        of the device."""
        scores = chosen.logits[row]
        token = draw(scores, sequence).reshape(1)
        tokens, logprobs, flags = chosen.choices[:, row : row + 1].unbind()
        worse = scores.gather(0, token) - scores.gather(0, tokens.long())
        logprobs.copy_((logprobs.view(torch.float32) + worse).view(torch.int32))
        tokens.copy_(token)
        flags.copy_((flags & ~END) | (token == sequence.special.eos) * END)
        history = self.state.tokens[_slot(sequence)]
        newest = self.state.lengths[_slot(sequence)].reshape(1).long() - 1
        history.scatter_(0, newest, tokens)


class _Flight:
    """A step under way, and where its results are being copied to."""

    def __init__(self, num_pieces: int) -> None:
        self._choices: list[Choice] = [None] * num_pieces
        self._parts: list[tuple[Tensor, Many[int]]] = []
        self._done: torch.cuda.Event | None = None

    def take(self, choices: Tensor, places: Many[int]) -> None:
        """Columns of (3, B) belong to these pieces; on the device they will be written over."""
        on_cuda = choices.device.type == "cuda"
        host = torch.empty(choices.shape, dtype=choices.dtype, pin_memory=on_cuda)
        self._parts.append((host.copy_(choices, non_blocking=True), places))

    def leave(self) -> None:
        if any(part.is_pinned() for part, _ in self._parts):
            self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._done.record()

    def collect(self) -> list[Choice]:
        if self._done is not None:
            self._done.synchronize()  # the one sync of a step
        for part, places in self._parts:
            tokens, bits, flags = part
            results = zip(
                tokens.tolist(), bits.view(torch.float32).tolist(), flags.tolist(), strict=True
            )
            for place, result in zip(places, results, strict=False):  # the bucket has more
                self._choices[place] = _choice(*result)
        return self._choices


def _choice(token: int, logprob: float, flags: int) -> Choice:
    if flags & NOT_A_NUMBER:
        return NotANumber()
    if flags & STUCK:
        return None
    ending: Ending | None = "stop" if flags & END else "length" if flags & FULL else None
    return Sampled(token, logprob, ending, bool(flags & MAY_REPEAT))


def _how_watched(sequence: Sequence) -> int:
    """The device counts from the first token on, and tokens that are drawn it sees too early."""
    if sequence.watch is None:
        return CHECK_OFF
    return CHECK_ALWAYS if sequence.output_ids or sequence.params.temperature > 0 else CHECK_ON


def _slot(sequence: Sequence) -> int:
    assert sequence.slot is not None
    return sequence.slot
