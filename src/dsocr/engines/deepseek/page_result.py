"""A page's result from the model's raw text and the log-probabilities of its tokens."""

from __future__ import annotations

import dataclasses
import math
import time

from dsocr import tracing
from dsocr.engines.deepseek.grounding import parse, references, result_of_blocks
from dsocr.engines.deepseek.review import review_share, reviewed
from dsocr.engines.deepseek.text_lines import born_digital_lines
from dsocr.metrics import observe_engine_stage
from dsocr.types import Block, FinishReason, PageImage, PageResult, Usage


def page_result(
    page: PageImage,
    *,
    raw: str,
    finish_reason: FinishReason,
    logprobs: list[float],
    text_ends: list[int],
    usage: Usage,
) -> PageResult:
    """`logprobs` has one number a token, or none; `text_ends` is the length of the text after each
    token, in characters."""
    began = time.monotonic()
    with tracing.span("ocr.postprocess"):
        result = _page_result(page, raw, finish_reason, logprobs, text_ends, usage)
    observe_engine_stage("postprocess", time.monotonic() - began)
    return result


def _page_result(
    page: PageImage,
    raw: str,
    finish_reason: FinishReason,
    logprobs: list[float],
    text_ends: list[int],
    usage: Usage,
) -> PageResult:
    blocks = parse(raw, confidences=block_confidences(raw, logprobs, text_ends))
    if logprobs and not references(raw):
        whole = math.exp(sum(logprobs) / len(logprobs))
        blocks = [_with_confidence(block, whole) for block in blocks]
    lines = born_digital_lines(page)
    blocks = reviewed(blocks, lines)
    return result_of_blocks(
        page,
        blocks,
        lines=lines,
        review_share=review_share(blocks),
        raw=raw,
        finish_reason=finish_reason,
        usage=usage,
    )


def block_confidences(raw: str, logprobs: list[float], text_ends: list[int]) -> list[float | None]:
    """Confidence of each reference and the text after it, 0-1.

    The geometric mean of its tokens' probabilities. `text_ends` is the length of the text after
    each token, in characters.
    """
    starts = [reference.start for reference in references(raw)]
    sums = [0.0] * len(starts)
    counts = [0] * len(starts)
    current = -1
    begin = 0
    for logprob, end in zip(logprobs, text_ends, strict=True):
        while current + 1 < len(starts) and starts[current + 1] <= begin:
            current += 1
        if current >= 0:
            sums[current] += logprob
            counts[current] += 1
        begin = end
    return [
        math.exp(total / count) if count else None
        for total, count in zip(sums, counts, strict=True)
    ]


def _with_confidence(block: Block, confidence: float) -> Block:
    return dataclasses.replace(block, confidence=confidence)
