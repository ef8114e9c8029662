"""The embedded engine: PP-OCR on the CPU, in a worker process of its own."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from dsocr.engines.base import Engine, EngineInfo, OnText
from dsocr.engines.deepseek.grounding import compose_raw, result_of_blocks
from dsocr.engines.deepseek.modes import MODES
from dsocr.engines.deepseek.prompts import TASKS, locate_query
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.ppocr.reading_order.escape import unescape_markdown
from dsocr.engines.ppocr.response import decode_blocks, decode_lines
from dsocr.engines.stats import EngineStats, stats_of
from dsocr.errors import UnsupportedTask
from dsocr.process.machine import num_cores
from dsocr.process.progress import StartProgress
from dsocr.process.supervisor import Supervisor, Timeouts
from dsocr.types import Block, OcrOptions, PageImage, PageResult, Task, TextLine, Usage

WORKER = "dsocr.engines.ppocr.worker:serve"
START_SECONDS = 60.0
_TASKS: tuple[Task, ...] = ("markdown", "text", "ocr", "locate")


def create_engine(config: PpocrConfig) -> Engine:
    return PpocrEngine(config)


class PpocrEngine:
    """Recognizes what is printed. It has no language model, so free prompts are refused."""

    def __init__(self, config: PpocrConfig, *, worker: str = WORKER) -> None:
        threads = config.threads or num_cores()
        self.info = EngineInfo(
            name="ppocr",
            model="PP-OCRv6 small",
            device="cpu",
            tasks=_TASKS,
            modes=MODES,
            streams=True,
            max_concurrency=2,
            details=(("threads", str(threads)),),
        )
        self._supervisor = Supervisor(
            worker,
            {"threads": threads, "bfloat16": config.bfloat16},
            timeouts=Timeouts(
                stall=config.stall_seconds, start=START_SECONDS, page=config.page_timeout_seconds
            ),
        )

    @property
    def unhealthy_reason(self) -> str:
        return self._supervisor.unhealthy_reason

    @property
    def start_progress(self) -> StartProgress | None:
        return self._supervisor.start_progress

    def stats(self) -> EngineStats:
        return stats_of(self._supervisor)

    async def start(self) -> None:
        await self._supervisor.start()

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        """Raises `UnsupportedTask`, `EngineCrashed`, `EngineUnavailable` and `PageTimeout`."""
        request = _request(page, options)
        started = time.monotonic()
        response = await self._supervisor.request(request, page.rgb, num_bytes=page.num_bytes)
        result = _result(page, options, response, time.monotonic() - started)
        if on_text and result.raw:
            on_text(result.raw)
        return result

    async def close(self) -> None:
        await self._supervisor.close()


def _request(page: PageImage, options: OcrOptions) -> dict[str, Any]:
    """The header for the worker. Raises `UnsupportedTask`."""
    lines = page.text_lines
    return {
        "width": page.width,
        "height": page.height,
        "mode": options.mode,
        "task": options.task,
        "query": _query(options),
        "text_lines": None if lines is None else [_layer_line(line) for line in lines],
        "hidden_lines": [_layer_line(line) for line in page.hidden_lines],
        "image_share": page.image_share,
        "languages": list(options.languages),
    }


def _query(options: OcrOptions) -> str | None:
    """What to locate, if that is the task. Raises `UnsupportedTask` for what cannot be done."""
    if options.task not in _TASKS:
        asked = TASKS[options.task].label.lower() if options.task in TASKS else "free prompts"
        raise UnsupportedTask(
            f"The ppocr engine reads text and cannot do this ({asked}). The native engine can: "
            "get its weights with `dsocr download`."
        )
    if options.task != "locate":
        return None
    query = locate_query(options.prompt)
    if query is None:
        raise UnsupportedTask("There is nothing between <|ref|> and <|/ref|> to look for.")
    return query


def _layer_line(line: TextLine) -> list[Any]:
    return [line.text, line.box.x0, line.box.y0, line.box.x1, line.box.y1, line.fonts]


def _result(
    page: PageImage, options: OcrOptions, response: dict[str, Any], seconds: float
) -> PageResult:
    blocks = decode_blocks(response)
    result = result_of_blocks(
        page,
        blocks,
        lines=decode_lines(response),
        raw=compose_raw(blocks),
        flags=response["flags"],
        review_share=response["review_share"],
        usage=Usage(seconds=seconds),
    )
    if options.task != "text":
        return result
    # Composed, so that a page which prints <|ref|> forges no block.
    raw = compose_raw([Block("text", _plain_text(blocks))])
    return dataclasses.replace(result, raw=raw, markdown=raw)


def _plain_text(blocks: Sequence[Block]) -> str:
    """The blocks' text without markdown, the marks of titles and the fences of code."""
    return "\n\n".join(_plain_block(block) for block in blocks if block.text)


def _plain_block(block: Block) -> str:
    if block.label == "code":
        return "\n".join(block.text.split("\n")[1:-1])
    is_title = block.label in ("title", "sub_title")
    return unescape_markdown(block.text.lstrip("# ") if is_title else block.text)
