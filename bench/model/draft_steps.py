"""Measures steps with drafts on this GPU: full size, random weights, scattered cache blocks.

The sequences are those of `bench.model.decode`; every row has the same number of random drafts. A
step is what `DraftGraphs` replays. The scores of each token are compared with those of decode steps
that take the same tokens one by one: what two ways to compute the same differ by in these numbers.

    python -m bench.model.draft_steps [--rows 1,8,32,128,256] [--each 1,3,7,15]
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from bench.model.decode import RULES, SHORTEST, FullBatch
from bench.model.full_size import parsed, random_model, table
from bench.model.profiling import kernels_of
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.execution.cuda_graph import capture, graph_pool
from dsocr.runtime.execution.decode_graph import DecodeGraph
from dsocr.runtime.execution.draft_graph import MAX_DRAFTS
from dsocr.runtime.execution.draft_step import DraftStep
from dsocr.runtime.kernels.drafts.tables import CAPACITY, COUNT, MAX_DRAFT, MOST, make_draft_tables
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.text.draft_lookup import Grammar

REPLAYS = 30


def milliseconds(work: Callable[[], object]) -> float:
    """Of one call, the median of three runs."""
    times = []
    for _ in range(3):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(REPLAYS):
            work()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - began) / REPLAYS * 1e3)
    return statistics.median(times)


class DraftBatch:
    """Sequences with drafts, and the step that computes them."""

    def __init__(self, model: DeepseekOcr, rows: int) -> None:
        self.batch = FullBatch(model, rows, model.dtype)
        self.state = self.batch.state
        self.state.drafts = make_draft_tables(rows, Grammar(), model.device)
        self.step = DraftStep(model, self.batch.cache, rows, MAX_DRAFTS)
        self.rows = torch.tensor(self.batch.slots, dtype=torch.int32, device=model.device)
        dice = random.Random(rows)
        self.drafts = [[dice.randrange(3, 128000) for _ in range(MAX_DRAFT)] for _ in range(rows)]
        self.tables = self.state.drafts
        self.tables.drafts[:, :MAX_DRAFT] = torch.tensor(self.drafts, dtype=torch.int32)
        self.tables.state[:, CAPACITY] = 1 << 20

    def without_drafts(self) -> float:
        """Milliseconds of a decode step that looks up drafts."""
        self.tables.state[:, MOST] = MAX_DRAFT
        graph = DecodeGraph(self.step, self.state, max_rows=len(self.rows), buckets=[])
        graph.capture(len(self.rows))
        found = milliseconds(lambda: graph.decode(self.batch.slots))
        self.tables.state[:, MOST] = 0
        self.batch.load()
        return found

    def with_drafts(self, each: int, *, profiles: bool) -> tuple[float, float]:
        """Milliseconds of a step with so many drafts a row, and of what keeps them."""
        self.tables.state[:, COUNT] = each
        pool, kept = graph_pool(self.rows.device), graph_pool(self.rows.device, "kept")
        graph, (layout, sampled) = capture(lambda: self._scored(each), pool, needed_bytes=0)
        step = milliseconds(graph.replay)
        if profiles:
            for kernel in kernels_of(graph.replay, times=5)[:12]:
                print("   ", kernel)
        keeps, _ = capture(
            lambda: self.step.keep(sampled, self.state, layout), kept, needed_bytes=0
        )
        keep = milliseconds(keeps.replay)
        self.batch.load()
        return step, keep

    @torch.inference_mode()
    def _scored(self, each: int) -> Any:
        layout = self.step.lay_out(self.rows, self.state, len(self.rows) * each)
        logits = self.step.draft_scores(layout, self.state)
        return layout, self.step.sample_all(logits, self.state, layout)

    @torch.inference_mode()
    def compare(self, each: int) -> dict[str, Any]:
        """Scores of a step with drafts against those of decode steps."""
        self.tables.state[:, COUNT] = each
        layout = self.step.lay_out(self.rows, self.state, len(self.rows) * each)
        found = self.step.draft_scores(layout, self.state).clone()
        expected = torch.empty_like(found)
        starts = layout.starts.long()
        for number in range(each + 1):
            for slot in self.batch.slots:
                tokens = [*self.batch.tokens[slot], *self.drafts[slot][:number]]
                self.state.load(
                    *(slot, tokens, self.batch.tables[slot]),
                    num_prompt=SHORTEST,
                    limit=1 << 20,
                    no_repeat=RULES[slot % 2],
                )
            indices = starts + number - 1 if number else torch.arange(len(starts)).to(starts)
            expected[indices] = self.step.scores(self.rows, self.state)
        self.batch.load()
        same = (found.argmax(-1) == expected.argmax(-1)).float().mean().item()
        difference = ((found - expected).norm() / expected.norm()).item()
        return {"scores differ by": round(difference, 4), "same best": round(same, 3)}


def measure(model: DeepseekOcr, rows: int, each: list[int]) -> list[dict[str, Any]]:
    batch = DraftBatch(model, rows)
    lines = [{"rows": rows, "drafts a row": 0, "ms": round(batch.without_drafts(), 3)}]
    for count in (one for one in each if one * rows <= MAX_DRAFTS):
        step, keep = batch.with_drafts(count, profiles=count == 3)
        line = {"rows": rows, "drafts a row": count, "ms": round(step, 3), "keep": round(keep, 3)}
        lines.append(line | (batch.compare(count) if count == 3 else {}))
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", default="1,8,32,128,256", help="(1,8,32,128,256)")
    parser.add_argument("--each", default="1,3,7,15", help="drafts of a row (1,3,7,15)")
    arguments = parsed(parser)
    model = random_model(torch.device("cuda"), torch.bfloat16, RuntimeConfig())
    each = [int(count) for count in arguments.each.split(",")]
    lines = []
    for rows in map(int, arguments.rows.split(",")):
        lines += measure(model, rows, each)
        torch.cuda.empty_cache()
    print(table(lines))


if __name__ == "__main__":
    main()
