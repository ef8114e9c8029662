"""Where the pages of a row were while it ran, from the trace of `bench.service.engine`."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PageSpan:
    """One page. Times are of the monotonic clock."""

    name: str
    """Its document's."""
    asked: float
    """Its image was asked for."""
    rendered: float
    """Its image was there."""
    given: float
    """The engine got it."""
    done: float


@dataclass(frozen=True, slots=True)
class MeanTimes:
    """Means over the pages of one row, in seconds, and how busy the engine was."""

    rendering: float
    """Waiting for a decoding process, and decoding."""
    waiting: float
    """With an image, for the engine to take it."""
    recognizing: float
    pages_in_engine: float
    """On average over the row."""
    engine_empty: float
    """Share of the row in which the engine had no page."""


def read_trace(path: Path) -> tuple[int, list[PageSpan]]:
    """The pages that the engine asked for at its start, and those that it has read."""
    max_pages, spans = 0, []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if isinstance(entry, dict):
            max_pages = entry["max_pages"]
        else:
            spans.append(PageSpan(*entry))
    return max_pages, spans


def between(spans: Sequence[PageSpan], began: float, ended: float) -> list[PageSpan]:
    """The pages that were begun and done in that time."""
    return [span for span in spans if began <= span.asked and span.done <= ended]


def mean_times(spans: Sequence[PageSpan], began: float, ended: float) -> MeanTimes:
    """Of the pages of a row that ran from `began` to `ended`. Raises `ValueError` without any."""
    if not spans:
        raise ValueError("no page was recognized")
    in_engine = [(span.given, span.done) for span in spans]
    return MeanTimes(
        rendering=statistics.mean(span.rendered - span.asked for span in spans),
        waiting=statistics.mean(span.given - span.rendered for span in spans),
        recognizing=statistics.mean(done - given for given, done in in_engine),
        pages_in_engine=sum(done - given for given, done in in_engine) / (ended - began),
        engine_empty=1 - _covered(in_engine) / (ended - began),
    )


def _covered(intervals: Sequence[tuple[float, float]]) -> float:
    """Length of the union of intervals."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(intervals):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total
