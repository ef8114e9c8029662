"""Runtimes in this process, and the texts and tokens of their events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from dsocr.runtime.events import Done, Event, Text
from dsocr.runtime.execution.graph_runner import GraphRunner, MakeSteps
from dsocr.runtime.execution.model_runner import ModelRunner
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.inputs import InputProcessor
from dsocr.runtime.text.draft_lookup import Grammar
from dsocr.runtime.text.repetition import TokenKinds, token_kinds
from dsocr.runtime.text.tokenizer import Tokenizer


def plain_runtime(
    model: DeepseekOcr,
    tokenizer: Tokenizer,
    *,
    cache_dtype: torch.dtype | None = None,
    drafting: Any = None,
    **settings: Any,
) -> Runtime:
    """Its cache holds one context. `drafting` makes the drafters of pages."""
    context = model.spec.decoder.max_positions
    runner = ModelRunner(model, num_tokens=context, cache_dtype=cache_dtype)
    return _runtime(runner, tokenizer, drafting, **settings)


def graph_runtime(
    model: DeepseekOcr,
    tokenizer: Tokenizer,
    make_steps: MakeSteps,
    *,
    drafting: Any = None,
    lookahead: int = 1,
    grammar: Grammar | None = None,
    **settings: Any,
) -> Runtime:
    """One that chooses tokens on the device, a step ahead; 8 pages at most. With a grammar it looks
    up drafts there."""
    runner = GraphRunner(
        model,
        num_tokens=model.spec.decoder.max_positions,
        max_num_seqs=8,
        special=tokenizer.special,
        digits=_kinds(tokenizer).digits,
        make_steps=make_steps,
        grammar=grammar,
    )
    ahead = {"lookahead": lookahead, "waits": runner.waits}
    return _runtime(runner, tokenizer, drafting, **ahead, **settings)


def _runtime(
    runner: ModelRunner, tokenizer: Tokenizer, drafting: Any = None, **settings: Any
) -> Runtime:
    processor = InputProcessor(
        *(runner.model, tokenizer, _kinds(tokenizer)),
        drafting=drafting,
        drafts_on_device=isinstance(runner, GraphRunner) and runner.drafts is not None,
    )
    return Runtime(runner, processor, **settings)


@cache
def _kinds(tokenizer: Tokenizer) -> TokenKinds:
    return token_kinds(tokenizer)


def encode_once(model: DeepseekOcr) -> None:
    """Lets the model compute the features of the same views once: many tests read the same pages.

    A pass has the same features only if all of its views are the same, so views are remembered by
    the pass.
    """
    encode, known = model.encode, dict[bytes, torch.Tensor]()

    def encode_remembered(views: torch.Tensor) -> torch.Tensor:
        key = hashlib.sha256(repr(views.shape).encode() + views.numpy().tobytes()).digest()
        if key not in known:
            known[key] = encode(views)
        return known[key]

    model.encode = encode_remembered  # type: ignore[method-assign]


def run(runtime: Runtime, between: Callable[[], object] = lambda: None) -> list[Event]:
    """Everything the runtime says until it has no work, with something done after every step."""
    events: list[Event] = []
    while runtime.has_work:
        events += runtime.step()
        between()
    return events


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def outputs(events: list[Event]) -> dict[int, list[int]]:
    """The tokens of each page that was read."""
    return {one.request_id: one.output_ids for one in events if isinstance(one, Done)}
