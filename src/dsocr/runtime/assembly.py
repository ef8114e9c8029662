"""Puts a runtime together for a model on its device: memory plan, runner, limits, threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial

import torch

from dsocr.process.machine import num_cores
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import make_current
from dsocr.runtime.execution.decode_step import can_decode
from dsocr.runtime.execution.draft_graph import MAX_DRAFTS
from dsocr.runtime.execution.graph_runner import GraphRunner
from dsocr.runtime.execution.memory_plan import MemoryPlan, plan_memory
from dsocr.runtime.execution.model_runner import ModelRunner
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.kernels.drafts.tables import MAX_DRAFT
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.family import OcrModel
from dsocr.runtime.scheduling.inputs import InputProcessor
from dsocr.runtime.scheduling.scheduler import MAX_DRAFT_TOKENS, Limits
from dsocr.runtime.spec import window_of
from dsocr.runtime.text.draft_lookup import Grammar
from dsocr.runtime.text.drafter import Drafting
from dsocr.runtime.text.repetition import TokenKinds, token_kinds
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.types import DraftsName

PREPARING_THREADS = 8
"""At most. Resizing an image releases the interpreter's lock."""


def make_runtime(
    model: OcrModel,
    tokenizer: Tokenizer,
    config: RuntimeConfig,
    *,
    mark: Callable[[str], None] = lambda stage: None,
    report: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> tuple[Runtime, MemoryPlan]:
    """A runtime that uses the device's free memory, with threads that prepare requests. `mark` is
    called with the name of a stage when it is complete, `report` with what begins and how many
    parts of it are done, of how many. Raises `DeviceError` if memory is short."""
    vision = VisionRunner(model)
    drafting = Drafting(tokenizer) if drafts_in(config.drafts, model.dtype) else None
    on_device = config.drafts == "fast" and config.kernels and can_decode(model)
    report("measuring memory", 0, 0)
    max_drafts = MAX_DRAFTS if on_device else MAX_DRAFT_TOKENS if drafting else 0
    plan = plan_memory(model, vision, config, max_draft_tokens=max_drafts)
    mark("memory")
    kinds = token_kinds(tokenizer)
    grammar = drafting.grammar if drafting and on_device else None
    runner = _make_runner(model, vision, tokenizer, config, plan, kinds, grammar, report)
    waits = runner.waits if isinstance(runner, GraphRunner) else None
    processor = InputProcessor(
        *(model, tokenizer, kinds, config.max_tiles),
        pin=model.device.type == "cuda",
        drafting=drafting,
        drafts_on_device=on_device,
    )
    runtime = Runtime(
        runner,
        processor,
        limits=Limits(
            max_num_seqs=plan.max_num_seqs,
            max_prefill_tokens=plan.max_prefill_tokens,
            prefill_share=config.prefill_share,
            pixels_per_token=model.spec.views.encode_pixels_per_prompt_token,
            window=window_of(model.spec.decoder),
            max_draft_tokens=0 if on_device else MAX_DRAFT_TOKENS,
            max_ahead=MAX_DRAFT if on_device else 0,
        ),
        # a draft that is looked up on the host follows the newest token
        lookahead=0 if waits is None or (drafting and not on_device) else 1,
        waits=waits or (lambda: False),
        executor=make_executor(model.device, config.threads or num_cores()),
    )
    return runtime, plan


def drafts_in(setting: DraftsName, dtype: torch.dtype) -> bool:
    """Whether pages have drafts. A pass over several tokens rounds otherwise than one over a single
    token, which decides nothing but near ties: those of 16 bits are too frequent for `exact`."""
    return setting == "fast" or (setting == "exact" and dtype == torch.float32)


def make_executor(device: torch.device, num_threads: int) -> Executor:
    """Threads that prepare requests, one less than `num_threads`: the loop needs one."""
    return ThreadPoolExecutor(
        max(1, min(PREPARING_THREADS, num_threads - 1)),
        thread_name_prefix="prepare",
        initializer=make_current,
        initargs=(device,),
    )


def _make_runner(
    model: OcrModel,
    vision: VisionRunner,
    tokenizer: Tokenizer,
    config: RuntimeConfig,
    plan: MemoryPlan,
    kinds: TokenKinds,
    grammar: Grammar | None,
    report: Callable[[str, int, int], None],
) -> ModelRunner:
    """The fastest runner for this device."""
    num_tokens, cache_dtype = plan.cache_tokens, plan.cache_dtype
    if not (config.kernels and can_decode(model)):
        return ModelRunner(model, num_tokens=num_tokens, cache_dtype=cache_dtype, vision=vision)
    return GraphRunner(
        model,
        num_tokens=num_tokens,
        max_num_seqs=plan.max_num_seqs,
        special=tokenizer.special,
        digits=kinds.digits,
        grammar=grammar,
        cache_dtype=cache_dtype,
        vision=vision,
        on_captured=partial(report, "capturing graphs"),
    )
