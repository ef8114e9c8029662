"""A page that looped or was cut short is read again, each time otherwise, and the best is kept.

Knows what may be asked of an engine; nothing of events, documents, or how a loop is noticed.
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
from dsocr.pipeline.split_page import MIN_HEIGHT, halves_of, joined, together
from dsocr.types import Mode, NoRepeat, OcrOptions, PageImage, PageResult, Task, Usage

log = logging.getLogger(__name__)

MIN_SECONDS = 120.0
"""All retries of a page together may take so long, or twice its first reading if that is more."""
TIGHT_GUARD = NoRepeat(20, 400)
"""Bans what the default lets through: short passages, and loops of up to 380 tokens."""
ENOUGH = 0.5
"""A whole reading with less than this share of the text of a cut one has lost something."""

_OTHER_MODE: dict[Mode, Mode] = {
    "gundam": "base",
    "base": "gundam",
    "large": "gundam",
    "small": "base",
    "tiny": "small",
}
_WHOLE_PAGE: tuple[Task, ...] = ("markdown", "text", "ocr")
"""Tasks whose answer for a page is that for its upper half, then that for its lower half."""
_SHINGLE = 8


class Ask(Protocol):
    """Asks the engine. `step` names what is tried; `aloud`: what it says may be told at once."""

    async def __call__(
        self, page: PageImage, options: OcrOptions, *, step: str, aloud: bool
    ) -> PageResult: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One way to read a page again."""

    name: str
    options: OcrOptions
    in_halves: bool = False


def is_cut(result: PageResult, options: OcrOptions) -> bool:
    """Whether the page has more than was read. A limit that the request set itself is obeyed."""
    if result.finish_reason == "length":
        return options.max_tokens is None or result.usage.completion_tokens < options.max_tokens
    return result.finish_reason == "repetition"


def steps_for(page: PageImage, options: OcrOptions, info: EngineInfo) -> Iterator[Step]:
    """What this engine can do otherwise, the smallest change first; each changes one thing."""
    if info.supports_no_repeat and _is_looser(options.no_repeat_ngram):
        yield Step("tighter_guard", dataclasses.replace(options, no_repeat_ngram=TIGHT_GUARD))
    mode = _OTHER_MODE[options.mode]
    if mode in info.modes:
        yield Step(f"mode_{mode}", dataclasses.replace(options, mode=mode))
    if options.task in ("markdown", "ocr") and grounded(options.prompt) and "text" in info.tasks:
        plain = dataclasses.replace(options, task="text", prompt=TASKS["text"].prompt)
        yield Step("without_grounding", plain)
    if options.task in _WHOLE_PAGE and page.height >= MIN_HEIGHT:
        yield Step("halves", options, in_halves=True)


async def retry_page(
    first: PageResult, page: PageImage, options: OcrOptions, info: EngineInfo, ask: Ask
) -> PageResult:
    """The best reading of a page whose first one is cut; its flags tell what was tried.

    Ends with the first reading that is whole, when time is up, or when one fails.
    """
    deadline = time.monotonic() + max(MIN_SECONDS, 2 * first.usage.seconds)
    best, kept = first, "as_asked"
    tried, usage = [f"tried:as_asked={first.finish_reason}"], first.usage
    for step in steps_for(page, options, info):
        began = time.monotonic()
        try:
            result = await _within(deadline - began, _take(step, page, ask))
        except Exception as error:
            tried.append(f"tried:{step.name}={_what_happened(error, page)}")
            usage = together(usage, Usage(seconds=time.monotonic() - began))
            break
        tried.append(f"tried:{step.name}={result.finish_reason}")
        usage = together(usage, result.usage)
        if _is_better(result, best):
            best, kept = result, step.name
            if not is_cut(result, options):
                break
    flags = (*best.flags, *tried, f"kept:{kept}")
    return dataclasses.replace(best, flags=flags, usage=usage)


async def _take(step: Step, page: PageImage, ask: Ask) -> PageResult:
    if not step.in_halves:
        return await ask(page, step.options, step=step.name, aloud=True)
    halves = await asyncio.to_thread(halves_of, page)
    results = [await ask(half, step.options, step=step.name, aloud=False) for half in halves]
    return joined(page, halves, results)


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


def _is_looser(guard: NoRepeat | None) -> bool:
    if guard is None or guard.ngram > TIGHT_GUARD.ngram:
        return True
    assert TIGHT_GUARD.window is not None
    return guard.window is not None and guard.window < TIGHT_GUARD.window


def _is_better(result: PageResult, best: PageResult) -> bool:
    """A whole reading, unless most of the text is missing; else the one that says more."""
    said, before = _num_different(result.markdown), _num_different(best.markdown)
    whole, was_whole = result.finish_reason == "stop", best.finish_reason == "stop"
    if whole == was_whole:
        return said > before
    return said >= ENOUGH * before if whole else said * ENOUGH > before


def _num_different(text: str) -> int:
    """How much a text says, however often it says it: its different runs of a few characters."""
    return len({text[start : start + _SHINGLE] for start in range(len(text))})


def _what_happened(error: Exception, page: PageImage) -> str:
    if isinstance(error, DsocrError):
        return error.code
    log.error("a bug while page %d was read again", page.index, exc_info=error)
    return DsocrError.code
