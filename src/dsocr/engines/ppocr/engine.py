"""The embedded engine: PP-OCR on the CPU, in a worker process of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from dsocr.engines.base import EngineInfo, OnText
from dsocr.engines.deepseek.grounding import compose_raw, markdown_of
from dsocr.engines.deepseek.modes import MODES
from dsocr.engines.deepseek.prompts import TASKS, locate_query
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.ppocr.reading_order.escape import unescape_markdown
from dsocr.engines.ppocr.response import decode_blocks, decode_lines
from dsocr.engines.stats import EngineStats, stats_of
from dsocr.errors import UnsupportedTask
from dsocr.process.machine import num_cores
from dsocr.process.supervisor import Supervisor, Timeouts
from dsocr.types import Block, OcrOptions, PageImage, PageResult, Task, TextLine, Usage

WORKER = "dsocr.engines.ppocr.worker:serve"
START_SECONDS = 60.0
_TASKS: tuple[Task, ...] = ("markdown", "text", "ocr", "locate")


class PpocrEngine:
    """Recognizes what is printed. It has no language model, so free prompts are refused."""

    def __init__(self, config: PpocrConfig, *, worker: str = WORKER) -> None:
        threads = config.threads or num_cores()
        self.info = EngineInfo(
            name="ppocr",
            model="PP-OCRv6 small",
            device="cpu",
            tasks=_TASKS,
            modes=tuple(MODES),
            streams=True,
            max_concurrency=2,
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
        request = _request(page, options)
        started = time.monotonic()
        response = await self._supervisor.request(
            request, page.image.tobytes, num_bytes=page.num_bytes
        )
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
    }


def _query(options: OcrOptions) -> str | None:
    """What to locate, if that is the task. Raises `UnsupportedTask` for what cannot be done."""
    if options.task not in _TASKS:
        asked = TASKS[options.task].label.lower() if options.task in TASKS else "free prompts"
        raise UnsupportedTask(
            f"The embedded engine reads text but cannot do this ({asked}). The native engine, "
            "with the DeepSeek-OCR weights, or a remote one can."
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
    if options.task == "text":
        # Composed, so that a page which prints <|ref|> forges no block.
        raw = markdown = compose_raw([Block("text", _plain_text(blocks))])
    else:
        raw, markdown = compose_raw(blocks), markdown_of(blocks, page_index=page.index)
    return PageResult(
        index=page.index,
        width=page.width,
        height=page.height,
        markdown=markdown,
        blocks=blocks,
        lines=decode_lines(response),
        raw=raw,
        flags=tuple(response["flags"]),
        usage=Usage(seconds=seconds),
    )


def _plain_text(blocks: Sequence[Block]) -> str:
    """The blocks' text without markdown, the marks of titles and the fences of code."""
    return "\n\n".join(_plain_block(block) for block in blocks if block.text)


def _plain_block(block: Block) -> str:
    if block.label == "code":
        return "\n".join(block.text.split("\n")[1:-1])
    is_title = block.label in ("title", "sub_title")
    return unescape_markdown(block.text.lstrip("# ") if is_title else block.text)
