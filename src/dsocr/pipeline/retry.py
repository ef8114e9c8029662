"""The retry policy: a page that looped or was truncated is recognized again in other ways.

Knows what an engine supports; nothing of events, documents, or how a loop is detected.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Protocol

from dsocr.engines.base import EngineInfo
from dsocr.engines.deepseek.prompts import TASKS, grounded
from dsocr.errors import DsocrError, PageTimeout
from dsocr.pipeline.split_page import MIN_HEIGHT, merge_halves, split_page, sum_usage
from dsocr.types import Mode, NoRepeat, OcrOptions, PageImage, PageResult, Task, Usage

log = logging.getLogger(__name__)

MIN_SECONDS = 120.0
"""All retries of a page together may take so long, or twice its first attempt if that is more."""
STRICT_NO_REPEAT = NoRepeat(20, 400)
"""Bans what the default allows: short passages, and loops of up to 380 tokens."""
MIN_TEXT_SHARE = 0.5
"""A complete result with less than this share of the text of an incomplete one has lost text."""

_OTHER_MODE: dict[str, Mode] = {
    "gundam": "base",
    "base": "gundam",
    "large": "gundam",
    "small": "base",
    "tiny": "small",
}
_WHOLE_PAGE_TASKS: tuple[Task, ...] = ("markdown", "text", "ocr")
"""Tasks whose result for a page is that for its upper half, then that for its lower half."""
_SHINGLE = 8


class Recognize(Protocol):
    """Recognizes a page again. `step` names the attempt; with `stream` its text is streamed."""

    async def __call__(
        self, page: PageImage, options: OcrOptions, *, step: str, stream: bool
    ) -> PageResult: ...


@dataclass(frozen=True, slots=True)
class RetryStep:
    """One way to recognize a page again."""

    name: str
    options: OcrOptions
    in_halves: bool = False


def is_incomplete(result: PageResult, options: OcrOptions) -> bool:
    """Whether the result ends before the page does. A `max_tokens` of the request is obeyed."""
    if result.finish_reason == "length":
        return options.max_tokens is None or result.usage.completion_tokens < options.max_tokens
    return result.finish_reason == "repetition"


def retry_steps(page: PageImage, options: OcrOptions, info: EngineInfo) -> Iterator[RetryStep]:
    """What this engine can try, the smallest change first; each step changes one thing."""
    if info.supports_no_repeat and _is_looser(options.no_repeat_ngram):
        strict = dataclasses.replace(options, no_repeat_ngram=STRICT_NO_REPEAT)
        yield RetryStep("tighter_guard", strict)
    mode = _OTHER_MODE[options.mode]
    if mode in info.modes:
        yield RetryStep(f"mode_{mode}", dataclasses.replace(options, mode=mode))
    if options.task in ("markdown", "ocr") and grounded(options.prompt) and "text" in info.tasks:
        plain = dataclasses.replace(options, task="text", prompt=TASKS["text"].prompt)
        yield RetryStep("without_grounding", plain)
    if options.task in _WHOLE_PAGE_TASKS and page.height >= MIN_HEIGHT:
        yield RetryStep("halves", options, in_halves=True)


async def retry_page(
    first: PageResult, page: PageImage, options: OcrOptions, info: EngineInfo, recognize: Recognize
) -> PageResult:
    """The best result of a page whose first one is incomplete; its flags list the attempts.

    Ends with the first complete result, when time is up, or when an attempt fails.
    """
    deadline = time.monotonic() + max(MIN_SECONDS, 2 * first.usage.seconds)
    best, kept = first, "as_asked"
    tried, usage = [f"tried:as_asked={first.finish_reason}"], first.usage
    for step in retry_steps(page, options, info):
        began = time.monotonic()
        try:
            result = await _within(deadline - began, _attempt(step, page, recognize))
        except Exception as error:
            tried.append(f"tried:{step.name}={_error_code(error, page)}")
            usage = sum_usage(usage, Usage(seconds=time.monotonic() - began))
            break
        tried.append(f"tried:{step.name}={result.finish_reason}")
        usage = sum_usage(usage, result.usage)
        if _is_better(result, best):
            best, kept = result, step.name
            if not is_incomplete(result, options):
                break
    flags = (*best.flags, *tried, f"kept:{kept}")
    return dataclasses.replace(best, flags=flags, usage=usage)


async def _attempt(step: RetryStep, page: PageImage, recognize: Recognize) -> PageResult:
    if not step.in_halves:
        return await recognize(page, step.options, step=step.name, stream=True)
    halves = await asyncio.to_thread(split_page, page)
    results = [await recognize(half, step.options, step=step.name, stream=False) for half in halves]
    return merge_halves(page, halves, results)


async def _within(seconds: float, work: Coroutine[object, object, PageResult]) -> PageResult:
    """Raises `PageTimeout`. Before Python 3.12 `asyncio.wait_for` loses a cancellation that comes
    as the work ends."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise PageTimeout()
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _is_looser(no_repeat: NoRepeat | None) -> bool:
    """Than `STRICT_NO_REPEAT`."""
    if no_repeat is None or no_repeat.ngram > STRICT_NO_REPEAT.ngram:
        return True
    assert STRICT_NO_REPEAT.window is not None
    return no_repeat.window is not None and no_repeat.window < STRICT_NO_REPEAT.window


def _is_better(result: PageResult, best: PageResult) -> bool:
    """A complete result, unless most of the text is missing; else the one with more text."""
    size, best_size = _num_shingles(result.markdown), _num_shingles(best.markdown)
    complete, best_complete = result.finish_reason == "stop", best.finish_reason == "stop"
    if complete == best_complete:
        return size > best_size
    return size >= MIN_TEXT_SHARE * best_size if complete else size * MIN_TEXT_SHARE > best_size


def _num_shingles(text: str) -> int:
    """Distinct runs of a few characters: repeated text counts once."""
    return len({text[start : start + _SHINGLE] for start in range(len(text))})


def _error_code(error: Exception, page: PageImage) -> str:
    if isinstance(error, DsocrError):
        return error.code
    log.error("a bug while page %d was recognized again", page.index, exc_info=error)
    return DsocrError.code
