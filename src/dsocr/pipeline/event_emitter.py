"""Turns an engine's streamed text of one page into events, block by block."""

from __future__ import annotations

from collections.abc import Sequence

from dsocr.engines.deepseek.grounding import BlockStream
from dsocr.pipeline.events import BlockClosed, OnEvent, PageReset, TextDelta
from dsocr.types import Block, PageResult


class PageEventEmitter:
    """Emits `TextDelta`, `BlockClosed` and `PageReset` of one page."""

    def __init__(self, index: int, on_event: OnEvent) -> None:
        self._index = index
        self._on_event = on_event
        self._blocks = BlockStream()
        self._text = ""
        """What the page's `TextDelta` events since the last reset add up to."""

    def add_text(self, piece: str) -> None:
        self._text += piece
        self._on_event(TextDelta(self._index, piece))
        self._emit_blocks(self._blocks.feed(piece))

    def reset(self, reason: str) -> None:
        """Emits `PageReset` if there has been text since the last one."""
        if self._text:
            self._on_event(PageReset(self._index, reason))
        self._blocks, self._text = BlockStream(), ""

    def finish(self, result: PageResult) -> None:
        """Emits what is missing, so that the events since the last reset add up to `result`."""
        if self._text and self._text == result.raw:
            self._emit_blocks(self._blocks.finish())
            return
        # The result was truncated, another attempt was kept, or a second process gave other text.
        self.reset("the page's text is replaced")
        if result.raw:
            self._on_event(TextDelta(self._index, result.raw))
        self._emit_blocks(result.blocks)

    def _emit_blocks(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            self._on_event(BlockClosed(self._index, block))
