"""Times one page on its way through the pipeline, for metrics and traces."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from dsocr import tracing
from dsocr.engines.base import EngineInfo, OnText
from dsocr.metrics import Metrics, PageMeasure, observing
from dsocr.types import OcrOptions, PageResult


class PageTimer:
    """Counts the page once, however it ends."""

    def __init__(self, metrics: Metrics, info: EngineInfo, options: OcrOptions) -> None:
        self._metrics, self._info, self._options = metrics, info, options
        self._queue_seconds = 0.0
        self._began: float | None = None
        """When the engine got the page."""
        self._first_text: float | None = None
        self._last_text = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        with tracing.span(f"ocr.{name}"):
            yield
        self._metrics.observe_stage(name, time.monotonic() - began)

    @contextmanager
    def queue(self) -> Iterator[None]:
        began = time.monotonic()
        with tracing.span("ocr.queue"):
            yield
        self._queue_seconds = time.monotonic() - began

    @contextmanager
    def engine(self) -> Iterator[tracing.Span]:
        self._began = time.monotonic()
        engine_span = tracing.span(
            "ocr.engine",
            gen_ai__operation__name="chat",
            gen_ai__request__model=self._info.model,
            dsocr__engine=self._info.name,
            dsocr__mode=self._options.mode,
        )
        with observing(self._metrics), engine_span as span:
            yield span

    def on_text(self, listener: OnText | None) -> OnText | None:
        """Notes when text comes, and passes it on."""
        if not self._metrics.enabled:
            return listener

        def add(piece: str) -> None:
            self._last_text = time.monotonic()
            if self._first_text is None:
                self._first_text = self._last_text
            self._metrics.note_progress(self._info.name)
            if listener is not None:
                listener(piece)

        return add

    def finish(self, result: PageResult) -> None:
        self._count(result.finish_reason, result)

    def cancel(self) -> None:
        self._count("cancelled")

    def _count(self, finish_reason: str, result: PageResult | None = None) -> None:
        tokens = result.usage.completion_tokens if result else 0
        began, first = self._began, self._first_text
        self._metrics.observe_page(
            PageMeasure(
                engine=self._info.name,
                mode=self._options.mode,
                finish_reason=finish_reason,
                queue_seconds=None if began is None else self._queue_seconds,
                seconds=result.usage.seconds if result and began is not None else None,
                first_token_seconds=None if began is None or first is None else first - began,
                inter_token_seconds=(
                    None
                    if first is None or tokens < 2
                    else (self._last_text - first) / (tokens - 1)
                ),
                prompt_tokens=result.usage.prompt_tokens if result else 0,
                completion_tokens=tokens,
            )
        )
