"""The embedded engine: PP-OCR on the CPU in a process of its own, behind the engine's face."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from dsocr.engines.base import EngineInfo, OnText
from dsocr.engines.deepseek.grounding import compose_raw, markdown_of
from dsocr.engines.deepseek.modes import MODES
from dsocr.engines.deepseek.prompts import TASKS, locate_query
from dsocr.engines.ppocr.config import EmbeddedConfig
from dsocr.engines.ppocr.reading_order.escape import words_of
from dsocr.engines.stats import EngineStats, stats_of
from dsocr.errors import UnsupportedTask
from dsocr.process.machine import num_cores
from dsocr.process.supervisor import Supervisor, Timeouts
from dsocr.types import Block, Box, OcrOptions, PageImage, PageResult, Task, Usage

WORKER = "dsocr.engines.ppocr.worker:serve"
START_SECONDS = 60.0
_CAN: tuple[Task, ...] = ("markdown", "text", "ocr", "locate")


class EmbeddedEngine:
    """Reads what is printed. It has no language model, so it answers no free questions."""

    def __init__(self, config: EmbeddedConfig, *, worker: str = WORKER) -> None:
        threads = config.threads or num_cores()
        self.info = EngineInfo(
            name="ppocr",
            model="PP-OCRv6 small",
            device="cpu",
            tasks=_CAN,
            modes=tuple(MODES),
            streams=True,
            max_concurrency=2,
            dpi=144,
            details=(("threads", str(threads)),),
        )
        self._supervisor = Supervisor(
            worker,
            {"threads": threads},
            timeouts=Timeouts(
                stall=config.stall_seconds, start=START_SECONDS, page=config.page_timeout_seconds
            ),
        )

    @property
    def unhealthy_reason(self) -> str:
        return self._supervisor.unhealthy_reason

    def stats(self) -> EngineStats:
        return stats_of(self._supervisor)

    async def start(self) -> None:
        await self._supervisor.start()

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        """Raises `UnsupportedTask`, `EngineCrashed`, `EngineUnavailable` and `PageTimeout`."""
        question = _question(page, options)
        started = time.monotonic()
        answer = await self._supervisor.request(
            question, page.image.tobytes, num_bytes=page.num_bytes
        )
        return _result(page, options, answer, time.monotonic() - started, on_text)

    async def close(self) -> None:
        await self._supervisor.close()


def _question(page: PageImage, options: OcrOptions) -> dict[str, Any]:
    if options.task not in _CAN:
        asked = TASKS[options.task].label.lower() if options.task in TASKS else "free prompts"
        raise UnsupportedTask(
            f"The embedded engine reads text but cannot do this ({asked}). The native engine, "
            "with the DeepSeek-OCR weights, or a remote one can."
        )
    query = locate_query(options.prompt) if options.task == "locate" else None
    if options.task == "locate" and query is None:
        raise UnsupportedTask("There is nothing between <|ref|> and <|/ref|> to look for.")
    return {
        "width": page.width,
        "height": page.height,
        "mode": options.mode,
        "task": options.task,
        "query": query,
        "text_lines": None
        if page.text_lines is None
        else [[line.text, *_sides(line.box)] for line in page.text_lines],
        "image_share": page.image_share,
    }


def _result(
    page: PageImage,
    options: OcrOptions,
    answer: dict[str, Any],
    seconds: float,
    on_text: OnText | None,
) -> PageResult:
    blocks = tuple(
        Block(label, text, tuple(_fractions(page, box) for box in boxes), confidence)
        for label, text, boxes, confidence in answer["blocks"]
    )
    if options.task == "text":
        # Composed, so that a page which prints <|ref|> forges no block.
        raw = markdown = compose_raw([Block("text", _plain(blocks))])
    else:
        raw, markdown = compose_raw(blocks), markdown_of(blocks, page_index=page.index)
    if on_text and raw:
        on_text(raw)
    return PageResult(
        index=page.index,
        width=page.width,
        height=page.height,
        markdown=markdown,
        blocks=blocks,
        raw=raw,
        flags=tuple(answer["flags"]),
        usage=Usage(seconds=seconds),
    )


def _plain(blocks: Sequence[Block]) -> str:
    """The words alone: no references, no signs of headings."""
    return "\n\n".join(
        words_of(block.text.lstrip("# ") if block.label in ("title", "sub_title") else block.text)
        for block in blocks
        if block.text
    )


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.x0, box.y0, box.x1, box.y1


def _fractions(page: PageImage, sides: list[float]) -> Box:
    x0, y0, x1, y1 = sides
    return Box(
        _within(x0 / page.width),
        _within(y0 / page.height),
        _within(x1 / page.width),
        _within(y1 / page.height),
    )


def _within(share: float) -> float:
    return min(1.0, max(0.0, share))
