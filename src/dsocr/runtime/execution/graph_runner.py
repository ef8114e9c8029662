"""The runner for kernels and CUDA graphs: steps are enqueued and tokens stay on the device.

Views are encoded as in `ModelRunner`; output tokens are sampled on the device. Drafts are looked up
and verified there too where the runner has a grammar; those that a chunk brings along are computed
as prompts are and sampled on the host. A step that ran
out of memory half way can be launched again once the steps before it are collected: its sequences
are then uploaded again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection
from collections.abc import Sequence as Many
from typing import Any

import torch
from torch import Tensor

from dsocr.runtime.cache.batch import Batch, make_batch
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.decode_graph import (
    DecodeGraph,
    DecodeOps,
    DecodeOutput,
    DecodeState,
)
from dsocr.runtime.execution.decode_step import DecodeStep
from dsocr.runtime.execution.decoder_weights import DeepseekMoeModel
from dsocr.runtime.execution.device_drafts import DeviceDrafts
from dsocr.runtime.execution.draft_graph import MAX_DRAFTS, DraftGraphs, DraftOutput
from dsocr.runtime.execution.draft_step import DraftStep
from dsocr.runtime.execution.model_runner import Launched, ModelRunner
from dsocr.runtime.execution.prefill_step import PrefillStep
from dsocr.runtime.execution.sampler import (
    NotANumber,
    RowResult,
    SampledRun,
    SampledToken,
    SampleResult,
    draw,
)
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.kernels.repetition_flags import CHECK_ALWAYS, CHECK_OFF, CHECK_ON, MAY_REPEAT
from dsocr.runtime.kernels.sampling import END, FULL, NOT_A_NUMBER, STUCK
from dsocr.runtime.scheduling.scheduler import ScheduledChunk, ScheduledStep
from dsocr.runtime.scheduling.sequence import Ending, Sequence
from dsocr.runtime.text.draft_lookup import Grammar
from dsocr.runtime.text.tokenizer import SpecialTokens

Prefill = Callable[[Batch], Tensor]
"""A batch of prompts to hidden states (T, hidden) after the final norm; fills the cache."""
MakeSteps = Callable[..., tuple[Prefill, DecodeOps]]
"""Makes both from the model, the cache and the largest number of rows of a decode step, and where
drafts are looked up on the device from the largest number of drafts."""


def kernel_steps(
    model: DeepseekMoeModel, cache: KVCache, max_rows: int, max_drafts: int = 0
) -> tuple[Prefill, DecodeOps]:
    prefill = PrefillStep(model, cache).hidden
    if max_drafts:
        return prefill, DraftStep(model, cache, max_rows, max_drafts)
    return prefill, DecodeStep(model, cache, max_rows)


class GraphRunner(ModelRunner):
    """Owns the device tables of all slots and the decode graphs."""

    def __init__(
        self,
        model: DeepseekMoeModel,
        *,
        num_tokens: int,
        max_num_seqs: int,
        special: SpecialTokens,
        digits: Collection[int] = (),
        grammar: Grammar | None = None,
        cache_dtype: torch.dtype | None = None,
        vision: VisionRunner | None = None,
        make_steps: MakeSteps = kernel_steps,
        on_captured: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """With a `grammar` drafts are looked up on the device. `on_captured` is called with the
        number of graphs that are captured at the start, so far and in all."""
        super().__init__(model, num_tokens=num_tokens, cache_dtype=cache_dtype, vision=vision)
        positions = model.spec.decoder.max_positions
        self.state = DecodeState(
            num_slots=max_num_seqs,
            max_positions=positions,
            max_blocks=-(-positions // BLOCK_SIZE),
            exempt=sorted(special.cells),
            end=special.eos,
            device=model.device,
            digits=digits,
            grammar=grammar,
        )
        drafts = () if grammar is None else (MAX_DRAFTS,)
        self._prefill, self._ops = make_steps(model, self.cache, max_num_seqs, *drafts)
        self.graph = DecodeGraph(self._ops, self.state, max_rows=max_num_seqs)
        first = (max_num_seqs, 1)
        for done, num_rows in enumerate(first):
            on_captured(done, len(first))
            self.graph.capture(num_rows)
        # of each slot the block table that was uploaded, and how many of its blocks. A slot is up
        # to date if that is its sequence's list object: a sequence gets a new one when released
        self._uploaded: list[list[int] | None] = [None] * max_num_seqs
        self._num_blocks = [0] * max_num_seqs
        self.drafts: DeviceDrafts | None = None
        if grammar is not None:
            ops: Any = self._ops
            graphs = DraftGraphs(ops, self.state, max_rows=max_num_seqs)
            graphs.capture_first()
            self.drafts = DeviceDrafts(graphs, self.state, BLOCK_SIZE)

    def run_idle_work(self) -> bool:
        if super().run_idle_work() or self.graph.capture_one():
            return True
        return self.drafts is not None and self.drafts.graphs.capture_one()

    def waits(self) -> bool:
        """Whether the next step is to be launched after the one before is collected."""
        return self.drafts is not None and self.drafts.waits

    @torch.inference_mode()
    def launch(self, step: ScheduledStep) -> Launched:
        try:
            return self._launch(step)
        except RuntimeError:
            # part of it may have run: upload these sequences again
            for chunk in step.chunks:
                if chunk.sequence.slot is not None:
                    self._uploaded[chunk.sequence.slot] = None
            raise

    def _launch(self, step: ScheduledStep) -> Launched:
        self._encode([one for one in step.to_encode if not one.ended])
        launched = _StepInFlight(len(step.chunks), self.drafts)
        live = [index for index, one in enumerate(step.chunks) if not one.sequence.ended]
        num_decodes = bisect_left(live, step.num_decodes)
        decodes, prefills = live[:num_decodes], live[num_decodes:]
        if decodes:
            self.graph.ensure_graph(len(decodes))
        drafted = [index for index in prefills if step.chunks[index].drafts]
        prefills = prefills[len(drafted) :]
        if drafted:
            launched.set_results(self._verify([step.chunks[one] for one in drafted]), drafted)
        if prefills:
            self._launch_prefills([step.chunks[index] for index in prefills], prefills, launched)
        if decodes:
            sequences = [step.chunks[index].sequence for index in decodes]
            slots = _slots(sequences)
            self._sync_slots(slots, sequences)
            drafted_output = self.drafts.decode(slots) if self.drafts is not None else None
            output = drafted_output or self.graph.decode(slots)
            self._copy_out(output, sequences, decodes, launched)
        launched.record()
        return launched

    def _verify(self, chunks: list[ScheduledChunk]) -> list[SampleResult]:
        """Computes chunks with drafts and waits for the sampled tokens. The device's tables do not
        have these: the sequences are uploaded again for their next step."""
        for chunk in chunks:
            self._uploaded[_slot(chunk.sequence)] = None
        return self._forward(chunks)

    def _hidden(self, batch: Batch) -> Tensor:
        return self._prefill(batch)

    def _launch_prefills(
        self, chunks: Many[ScheduledChunk], indices: Many[int], launched: _StepInFlight
    ) -> None:
        """Writes prompts to the cache; samples the first output token of the complete ones.
        `indices` are those of the chunks in the step."""
        inputs = [one.sequence.chunk(one.start, one.length) for one in chunks]
        batch = make_batch(inputs, block_size=BLOCK_SIZE, device=self.model.device)
        hidden = self._hidden(batch)
        sampling = [number for number, chunk in enumerate(chunks) if chunk.samples]
        if not sampling:
            return
        sequences = [chunks[number].sequence for number in sampling]
        last = self.state.to_device([batch.last_rows[number] for number in sampling])
        rows = self.state.to_device(_slots(sequences))
        logits = self._ops.head(hidden[last.long()])
        for sequence in sequences:
            self._upload(sequence)
        output = DecodeOutput(self._ops.sample(logits, self.state, rows), logits)
        self._copy_out(output, sequences, [indices[number] for number in sampling], launched)

    def _sync_slots(self, slots: Many[int], sequences: Many[Sequence]) -> None:
        """Uploads new blocks, and sequences that are not on the device: a preempted one may come
        back with nothing but its newest token to compute."""
        uploaded, num_blocks = self._uploaded, self._num_blocks
        outdated = [
            (slot, one)
            for slot, one in zip(slots, sequences, strict=True)
            if uploaded[slot] is not one.block_table or num_blocks[slot] != len(one.block_table)
        ]
        added = []
        for slot, sequence in outdated:
            table = sequence.block_table
            if uploaded[slot] is not table:
                self._upload(sequence)
                continue
            for index in range(num_blocks[slot], len(table)):
                added.append((slot, index, table[index]))
            num_blocks[slot] = len(table)
        cells = [self.state.block_cells(added)]
        if self.drafts is not None:
            grown = [(slot, num_blocks[slot] * BLOCK_SIZE) for slot, _ in outdated]
            cells.append(self.drafts.capacity_cells(grown))
        self.state.write(cells)

    def _upload(self, sequence: Sequence) -> None:
        slot, table = _slot(sequence), sequence.block_table
        self._uploaded[slot], self._num_blocks[slot] = table, len(table)
        self.state.load(
            slot,
            [*sequence.prompt_ids, *sequence.output_ids],
            table,
            num_prompt=len(sequence.prompt_ids),
            limit=len(sequence.prompt_ids) + sequence.max_new_tokens,
            no_repeat=sequence.params.no_repeat,
            guards_prompt=sequence.guards_prompt,
            repetition_check=_repetition_check(sequence),
        )
        if self.drafts is not None:
            self.drafts.upload(slot, sequence)

    def _copy_out(
        self,
        output: DecodeOutput | DraftOutput,
        sequences: Many[Sequence],
        indices: Many[int],
        launched: _StepInFlight,
    ) -> None:
        drawn = [row for row, one in enumerate(sequences) if one.params.temperature > 0]
        for row in drawn:
            self._draw(output, row, sequences[row])
        slots = _slots(sequences)
        if isinstance(output, DraftOutput):
            launched.copy_draft_results(output, indices, slots)
        else:
            launched.copy_results(output.sampled, indices, slots)

    def _draw(self, output: DecodeOutput | DraftOutput, row: int, sequence: Sequence) -> None:
        """Replaces the best token by a drawn one. Every index is a tensor: a number would need
        synchronization."""
        logits = output.logits[row]
        token = draw(logits, sequence).reshape(1)
        tokens, logprobs, flags = output.sampled[:, row : row + 1].unbind()
        difference = logits.gather(0, token) - logits.gather(0, tokens.long())
        logprobs.copy_((logprobs.view(torch.float32) + difference).view(torch.int32))
        tokens.copy_(token)
        flags.copy_((flags & ~END) | (token == sequence.special.eos) * END)
        history = self.state.tokens[_slot(sequence)]
        newest = self.state.lengths[_slot(sequence)].reshape(1).long() - 1
        history.scatter_(0, newest, tokens)


class _StepInFlight:
    """A step in flight and the host memory that its results are copied to."""

    def __init__(self, num_chunks: int, drafts: DeviceDrafts | None = None) -> None:
        self._results: list[SampleResult] = [None] * num_chunks
        self._drafts = drafts
        self._parts: list[tuple[Tensor, Many[int], Many[int]]] = []
        self._draft_parts: list[tuple[Tensor, int, Many[int], Many[int]]] = []
        self._done: torch.cuda.Event | None = None

    def copy_results(self, sampled: Tensor, indices: Many[int], slots: Many[int]) -> None:
        """Enqueues a copy of `DecodeOutput.sampled`, whose first columns are the results of these
        chunks and slots; on the device they are overwritten by the next step."""
        self._parts.append((_to_host(sampled), indices, slots))

    def copy_draft_results(self, output: DraftOutput, indices: Many[int], slots: Many[int]) -> None:
        """As `copy_results`, of a step with drafts."""
        host = _to_host(output.results)
        self._draft_parts.append((host, output.num_rows, indices, slots))

    def set_results(self, results: Many[SampleResult], indices: Many[int]) -> None:
        """Results that are on the host already, of these chunks."""
        for index, result in zip(indices, results, strict=True):
            self._results[index] = result

    def record(self) -> None:
        """Records the event that `collect` waits for, after all copies."""
        if any(part.is_pinned() for part in self._copies()):
            self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._done.record()

    def _copies(self) -> list[Tensor]:
        return [*(part for part, *_ in self._parts), *(part for part, *_ in self._draft_parts)]

    def collect(self) -> list[SampleResult]:
        if self._done is not None:
            self._done.synchronize()  # the one sync of a step
        for part, indices, slots in self._parts:
            tokens, bits, flags, *following = part
            if self._drafts is not None and following:
                self._drafts.record(slots, following[0].tolist())
            columns = zip(
                tokens.tolist(), bits.view(torch.float32).tolist(), flags.tolist(), strict=True
            )
            for index, (token, logprob, flag) in zip(indices, columns, strict=False):  # and padding
                self._results[index] = (
                    _flagged_result(token, logprob, flag)
                    if flag
                    else SampledToken(token, logprob, None, False)
                )
        for part, num_rows, indices, slots in self._draft_parts:
            self._collect_runs(part, num_rows, indices, slots)
        return self._results

    def _collect_runs(
        self, part: Tensor, num_rows: int, indices: Many[int], slots: Many[int]
    ) -> None:
        assert self._drafts is not None
        tokens, bits, flags = part[: -4 * num_rows].view(3, -1)
        columns = tokens.tolist(), bits.view(torch.float32).tolist(), flags.tolist()

        def result(at: int) -> RowResult:
            token, logprob, flag = (column[at] for column in columns)
            return (
                _flagged_result(token, logprob, flag)
                if flag
                else SampledToken(token, logprob, None, False)
            )

        kept, starts, counts, following = part[-4 * num_rows :].view(4, -1).tolist()
        drafted = accepted = 0
        for row, (index, length, start, count) in enumerate(
            zip(indices, kept, starts, counts, strict=False)  # and padding
        ):
            if count > 0:
                run = [result(row), *map(result, range(start, start + length - 1))]
                self._results[index] = SampledRun(tuple(run), count)
                drafted, accepted = drafted + count, accepted + length - 1
            elif length:
                self._results[index] = result(row)
        self._drafts.record(slots, following, drafted, accepted)


def _to_host(values: Tensor) -> Tensor:
    """A copy, enqueued, in memory that the device can write."""
    on_cuda = values.device.type == "cuda"
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=on_cuda)
    return host.copy_(values, non_blocking=True)


def _flagged_result(token: int, logprob: float, flags: int) -> RowResult:
    if flags & NOT_A_NUMBER:
        return NotANumber()
    if flags & STUCK:
        return None
    ending: Ending | None = "stop" if flags & END else "length" if flags & FULL else None
    return SampledToken(token, logprob, ending, bool(flags & MAY_REPEAT))


def _repetition_check(sequence: Sequence) -> int:
    """How the device checks the sequence. It needs all output from the first token on, and it reads
    a drawn token before it replaces the best one."""
    if sequence.repetition is None:
        return CHECK_OFF
    return CHECK_ALWAYS if sequence.output_ids or sequence.params.temperature > 0 else CHECK_ON


def _slots(sequences: Many[Sequence]) -> list[int]:
    slots = [one.slot for one in sequences if one.slot is not None]
    assert len(slots) == len(sequences)
    return slots


def _slot(sequence: Sequence) -> int:
    assert sequence.slot is not None
    return sequence.slot
