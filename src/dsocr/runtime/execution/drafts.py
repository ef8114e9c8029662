"""Which rows of a step's logits are sampled, and what is kept of chunks with drafts.

A chunk with k drafts has k + 1 rows: its newest token predicts the first draft, each draft the next
one. Every row is sampled as if the drafts before it were right, with all rules; so a sampled token
counts if they are, and the first that differs from its draft is the model's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Many

from dsocr.runtime.execution.sampler import (
    RowResult,
    SampledRun,
    SampledToken,
    SampleResult,
    SamplingRow,
)
from dsocr.runtime.scheduling.scheduler import ScheduledChunk


def rows_to_sample(
    chunks: Many[ScheduledChunk], last_rows: Many[int]
) -> tuple[list[int], list[SamplingRow]]:
    """The numbers of the rows to sample in a batch of these chunks, of which each one's last row is
    given, and what each row is for."""
    numbers: list[int] = []
    rows: list[SamplingRow] = []
    for chunk, last in zip(chunks, last_rows, strict=True):
        if chunk.samples:
            count = len(chunk.drafts)
            numbers += range(last - count, last + 1)
            rows += [SamplingRow(chunk.sequence, chunk.drafts[:n]) for n in range(count + 1)]
    return numbers, rows


def keep_right(chunks: Many[ScheduledChunk], sampled: Many[RowResult]) -> list[SampleResult]:
    """The result of each chunk, from those of its rows, in the order of `rows_to_sample`."""
    rows = iter(sampled)
    return [_chunk_result(chunk, rows) if chunk.samples else None for chunk in chunks]


def _chunk_result(chunk: ScheduledChunk, rows: Iterator[RowResult]) -> SampleResult:
    if not chunk.drafts:
        return next(rows)
    results = [next(rows) for _ in (*chunk.drafts, None)]
    return SampledRun(_right_beginning(results, chunk.drafts), len(chunk.drafts))


def _right_beginning(results: Many[RowResult], drafts: Many[int]) -> tuple[RowResult, ...]:
    """The results up to the first that is not its draft or ends the page."""
    for count, (result, draft) in enumerate(zip(results, drafts, strict=False), 1):
        if not isinstance(result, SampledToken) or result.ending or result.token != draft:
            return tuple(results[:count])
    return tuple(results)
