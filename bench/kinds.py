"""Reads cases with checks and prints, for each kind, the share that is right."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.cases import Outcome, read_cases, shares_by_kind
from bench.typeset.kinds import write_cases
from dsocr.host import HostConfig, started_host
from dsocr.types import OcrOptions

GENERATED = "generated"


@contextlib.contextmanager
def folder_of(named: str, variants: int, seed: int, only: str) -> Iterator[Path]:
    """The folder named, or one of typeset cases that is deleted afterwards."""
    if named != GENERATED:
        yield Path(named)
        return
    with tempfile.TemporaryDirectory() as place:
        for kind in write_cases(Path(place), variants=variants, seed=seed, only=only):
            print(f"{kind} is left out: no font with its letters is installed")
        yield Path(place)


async def measure(
    folder: Path, config: HostConfig, options: OcrOptions, *, only: str = ""
) -> dict[str, Any]:
    """Reads the cases whose file or kind holds `only`; prints each that fails, then the kinds."""
    outcomes: list[Outcome] = []
    async with started_host(config) as host:
        async for outcome in read_cases(folder, host, options, only=only):
            outcomes.append(outcome)
            if outcome.faults:
                print(
                    f"{outcome.kind} {outcome.file}: {'; '.join(outcome.faults)[:160]}", flush=True
                )
    for line in table_of(outcomes):
        print(line)
    return {
        "kinds": {kind: right / count for kind, (right, count) in _shares(outcomes).items()},
        "silent": share_of_silent(outcomes),
        "cases": [asdict(outcome) for outcome in outcomes],
    }


def table_of(outcomes: Sequence[Outcome]) -> list[str]:
    """A table in markdown: kind, cases that are right, cases, and the share over all."""
    lines = ["| kind | right | of | share |", "| --- | --- | --- | --- |"]
    for kind, (right, count) in _shares(outcomes).items():
        lines.append(f"| {kind} | {right} | {count} | {right / count:.2f} |")
    lines.append(f"Wrong cases without a flag: {share_of_silent(outcomes):.2f} of all wrong ones")
    return lines


def share_of_silent(outcomes: Sequence[Outcome]) -> float:
    """Share of the wrong cases of which no flag warns; 0 if none is wrong."""
    wrong = [outcome for outcome in outcomes if outcome.faults]
    return sum(not outcome.flags for outcome in wrong) / max(1, len(wrong))


def _shares(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    if not outcomes:
        return {}
    right = sum(not outcome.faults for outcome in outcomes)
    return {**shares_by_kind(outcomes), "all": (right, len(outcomes))}
