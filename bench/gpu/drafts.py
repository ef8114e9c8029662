"""Pages that write their true text, with drafts and without: what drafts bring on this GPU.

Random weights would accept no draft. So the true text of the pages of `bench.drafts` is what the
model writes: the score of its next token is raised above all others, on the device in decode steps
and on the host where drafts are sampled there. Drafts come from each page's own text layer. All
else is as in a service: rules, kernels, graphs, the cache.
"""

from __future__ import annotations

import dataclasses
import gc
import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from bench.drafts.acceptance import written
from bench.drafts.pages import own_pages
from bench.gpu.harness import Bench
from bench.gpu.summary import HOPELESS
from dsocr.runtime import assembly
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.events import Done, Text
from dsocr.runtime.execution import model_runner
from dsocr.runtime.execution.decode_graph import DecodeOps, DecodeState
from dsocr.runtime.execution.decoder_weights import DeepseekMoeModel
from dsocr.runtime.execution.graph_runner import GraphRunner, Prefill, kernel_steps
from dsocr.runtime.execution.sampler import RowResult, SamplingRow, sample_rows
from dsocr.runtime.kernels.drafts.layout import DraftRows
from dsocr.runtime.kernels.sampling import PROMPT
from dsocr.runtime.loop import Runtime
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.scheduling.sequence import Sequence as Page
from dsocr.types import DraftsName, NoRepeat

RAISED = 1e4
"""Added to the score of a page's next token; a token that a rule bans stays banned."""
LONE_TOKENS = 1000
SETTINGS: tuple[DraftsName, ...] = ("off", "fast")
HOPELESS_RUNS = 3
"""Runs of pages without right drafts: their difference is smaller than that of two runs."""
EACH = 2
"""Pages of every kind."""

texts: dict[int, list[int]] = {}
"""What each page writes, by its request's id."""


def next_token(page: Page, ahead: int = 0) -> int:
    """The true token at a page's next place, or so many later."""
    return texts[page.request_id][len(page.output_ids) + ahead]


def sample_true_rows(logits: Tensor, rows: Sequence[SamplingRow]) -> list[RowResult]:
    """`sampler.sample_rows` of pages that write their true text, up to its end."""
    for scores, (page, drafts) in zip(logits, rows, strict=True):
        if len(page.output_ids) + len(drafts) < len(texts[page.request_id]):
            scores[next_token(page, len(drafts))] += RAISED
    return sample_rows(logits, rows)


class TrueOps:
    """Steps whose pages write their true text, which `tokens` (slots, places) has on the device."""

    def __init__(self, ops: DecodeOps, tokens: Tensor) -> None:
        self._ops, self._tokens = ops, tokens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ops, name)

    def sample(self, logits: Tensor, state: DecodeState, rows: Tensor) -> Tensor:
        self._raise_true(logits, state, rows, state.lengths[rows.clamp_min(0).long()])
        return self._ops.sample(logits, state, rows)

    def sample_all(self, logits: Tensor, state: DecodeState, layout: DraftRows) -> Tensor:
        ops: Any = self._ops
        self._raise_true(logits, state, layout.owners, layout.positions + 1)
        sampled: Tensor = ops.sample_all(logits, state, layout)
        return sampled

    def _raise_true(
        self, logits: Tensor, state: DecodeState, owners: Tensor, positions: Tensor
    ) -> None:
        slots = owners.clamp_min(0).long()
        places = positions - state.params[slots, PROMPT]
        places = places.clamp(0, self._tokens.shape[1] - 1).long()
        raised = torch.full_like(logits[:, :1], RAISED)
        logits.scatter_add_(1, self._tokens[slots, places][:, None], raised)


class TrueRunner(GraphRunner):
    """A `GraphRunner` whose pages write their true text."""

    def __init__(self, model: DeepseekMoeModel, *, max_num_seqs: int, **settings: Any) -> None:
        places = model.spec.decoder.max_positions
        self._true = torch.zeros(max_num_seqs, places, dtype=torch.int64, device=model.device)
        super().__init__(model, max_num_seqs=max_num_seqs, make_steps=self._make_steps, **settings)

    def _make_steps(
        self, model: DeepseekMoeModel, cache: KVCache, max_rows: int, max_drafts: int = 0
    ) -> tuple[Prefill, DecodeOps]:
        prefill, ops = kernel_steps(model, cache, max_rows, max_drafts)
        steps: Any = TrueOps(ops, self._true)
        return prefill, steps

    def _upload(self, sequence: Page) -> None:
        super()._upload(sequence)
        text = torch.tensor(texts[sequence.request_id]).to(self._true.device)
        assert sequence.slot is not None
        self._true[sequence.slot, : len(text)] = text


def drafts_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Pages in flight, a page alone, and pages whose text layer helps with nothing, in runtimes of
    their own."""
    del bench.runtime
    try:
        pages = true_requests(bench)
        for setting in SETTINGS:
            yield from _lines(bench, setting, pages)
    finally:
        gc.collect()
        torch.cuda.empty_cache()
        bench.runtime, bench.plan = assembly.make_runtime(
            bench.model, bench.tokenizer, bench.config
        )


def _lines(bench: Bench, setting: DraftsName, pages: list[Request]) -> Iterator[dict[str, Any]]:
    gc.collect()
    torch.cuda.empty_cache()
    config = dataclasses.replace(bench.config, drafts=setting)
    with (
        patch.object(assembly, "GraphRunner", TrueRunner),
        patch.object(model_runner, "sample_rows", sample_true_rows),
    ):
        runtime, plan = assembly.make_runtime(bench.model, bench.tokenizer, config)
        while runtime.run_idle_work():
            pass
        longest = max(pages, key=lambda page: len(texts[page.request_id]))
        yield _measure(runtime, setting, "alone", [longest] * 3, 1, LONE_TOKENS)
        for count in bench.in_flight:
            if bench.seconds_left > 0 and count <= plan.max_num_seqs:
                yield _measure(runtime, setting, "mixed", pages, count)
        hopeless = [_with_foreign_layer(bench, page) for page in pages]
        for _ in range(HOPELESS_RUNS):
            yield _measure(runtime, setting, HOPELESS, hopeless, bench.in_flight[0])


def true_requests(bench: Bench) -> list[Request]:
    """Pages of every kind of `bench.drafts` in mode gundam, with their text layers."""
    requests = []
    for page in own_pages(EACH, 0):
        text = bench.tokenizer.encode_once(written(page.blocks, boxes=True))
        requests.append(_request(bench, text, page.lines))
    return requests


def _request(bench: Bench, text: list[int], layer: Sequence[str]) -> Request:
    request = bench.request("gundam", len(text))
    texts[request.request_id] = text
    return dataclasses.replace(request, text_layer=tuple(layer))


def _with_foreign_layer(bench: Bench, page: Request) -> Request:
    """The page's tokens in any order: no draft is right."""
    text = texts[page.request_id][:]
    random.Random(len(text)).shuffle(text)
    return _request(bench, text, page.text_layer)


def _measure(
    runtime: Runtime,
    setting: str,
    what: str,
    pages: Sequence[Request],
    in_flight: int,
    max_tokens: int = 1 << 20,
) -> dict[str, Any]:
    """Reads twice as many pages as are in flight, three at least, in turn."""
    count = max(3, 2 * in_flight)
    waiting = deque(_copies(pages, count, max_tokens))
    before, tokens, done, steps, others = runtime.load, 0, 0, 0, 0
    first: dict[int, float] = {}
    decoding = 0.0
    torch.cuda.synchronize()
    began = time.perf_counter()
    while done < count:
        while waiting and count - len(waiting) - done < in_flight:
            runtime.submit(waiting.popleft())
        steps += 1
        for event in runtime.step():
            if isinstance(event, Text):
                first.setdefault(event.request_id, time.perf_counter())
            if isinstance(event, Done):
                done, tokens = done + 1, tokens + len(event.output_ids)
                others += event.output_ids != texts[event.request_id]
                decoding += time.perf_counter() - first[event.request_id]
    seconds = time.perf_counter() - began
    return {
        "drafts": setting,
        "pages": what,
        "in flight": in_flight,
        "pages/s": round(count / seconds, 3),
        "tokens/s": round(tokens / seconds),
        "s a page": round(seconds * in_flight / count, 3),
        "tokens a page": round(tokens / count),
        "decoded tokens/s of a page": round(tokens / decoding),
        "steps": steps,
        "pages with other tokens": others,
        "drafted": runtime.load.drafted - before.drafted,
        "accepted": runtime.load.accepted - before.accepted,
    }


def _copies(pages: Sequence[Request], count: int, max_tokens: int) -> Iterator[Request]:
    """So many requests of these pages, in turn, each with an id of its own."""
    for _ in range(count):
        page = pages[len(texts) % len(pages)]
        number, text = max(texts) + 1, texts[page.request_id][:max_tokens]
        texts[number] = text
        params = SamplingParams(max_tokens=len(text), no_repeat=NoRepeat(30, 90))
        yield dataclasses.replace(page, request_id=number, params=params)
