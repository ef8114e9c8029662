"""Counters, histograms and gauges of one process, in the Prometheus text format.

Needs the extra `metrics` (prometheus-client). Without it `create_metrics` returns `NoMetrics`,
which counts nothing. Gauges are not stored: the caller of `render` hands them in as samples.
Label values are bounded: never a file name, key, prompt or job id.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Seconds. OCR requests take longer than the ten seconds that web buckets usually end at."""


FIRST_TOKEN_BUCKETS = (
    *(0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1, 2.5, 5, 7.5, 10, 20, 40, 80),
)
INTER_TOKEN_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
PAGE_RESULTS = {
    "stop": "ok",
    "repetition": "loop",
    "length": "truncated",
    "error": "error",
    "cancelled": "cancelled",
}
"""Finish reason of a page -> label `result`."""


@dataclass(frozen=True, slots=True)
class PageMeasure:
    """What is counted of one page. Seconds are None where that part was not reached."""

    engine: str
    mode: str
    finish_reason: str
    """One of `PAGE_RESULTS`."""
    queue_seconds: float | None = None
    """From its image to the engine."""
    first_token_seconds: float | None = None
    """From the engine to its first text."""
    inter_token_seconds: float | None = None
    """Mean time between two tokens."""
    seconds: float | None = None
    """In the engine, retries included."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a gauge or a counter, read when the metrics are rendered."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["gauge", "counter", "summary"] = "gauge"
    """A counter's `name` ends in `_total`. A summary has a sum and a count, without quantiles."""
    count: float = 0
    """Of a summary, whose sum is `value`."""


class Metrics(Protocol):
    """What the service counts, whether anything reads it or not."""

    @property
    def enabled(self) -> bool: ...

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One HTTP answer. `route` is the route's template, such as `/api/jobs/{job_id}`."""

    def count_rejection(self, reason: str) -> None:
        """One request that was refused. `reason` is an error code."""

    def count_abort(self, reason: str) -> None:
        """One request that ended without an answer: `client_gone`; `deadline`, its head took too
        long; `shutdown`, it was not done when the service had to end."""

    def observe_page(self, page: PageMeasure) -> None:
        """One page as it is in the document, after all retries, failed or not; or cancelled."""

    def observe_stage(self, stage: str, seconds: float) -> None:
        """One page's time in a part of the pipeline or of the engine, or the time in which a
        request's files were received."""

    def observe_commit(self, seconds: float) -> None:
        """One write to the job store, from its call until it is durable or has failed."""

    def note_progress(self, engine: str) -> None:
        """The engine gave text now."""

    def last_progress(self, engine: str) -> float:
        """When the engine last gave text, in seconds since 1970; 0: never."""

    def render(self, samples: Iterable[Sample] = ()) -> bytes:
        """The metrics and `samples` in the Prometheus text format, version 0.0.4."""


_OBSERVER: ContextVar[Metrics | None] = ContextVar("observer", default=None)


@contextmanager
def observing(metrics: Metrics) -> Iterator[None]:
    """`observe_engine_stage` counts in `metrics`, in this task and those that it starts."""
    token = _OBSERVER.set(metrics)
    try:
        yield
    finally:
        _OBSERVER.reset(token)


def observe_engine_stage(stage: str, seconds: float) -> None:
    """A page's time in a part of the engine. Counts nothing outside of `observing`."""
    metrics = _OBSERVER.get()
    if metrics is not None:
        metrics.observe_stage(stage, seconds)


def is_installed() -> bool:
    return importlib.util.find_spec("prometheus_client") is not None


def create_metrics() -> Metrics:
    """Metrics of their own registry: two services in one process do not share counters."""
    return PrometheusMetrics() if is_installed() else NoMetrics()


class NoMetrics:
    """Counts nothing."""

    enabled = False

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        pass

    def count_rejection(self, reason: str) -> None:
        pass

    def count_abort(self, reason: str) -> None:
        pass

    def observe_page(self, page: PageMeasure) -> None:
        pass

    def observe_stage(self, stage: str, seconds: float) -> None:
        pass

    def observe_commit(self, seconds: float) -> None:
        pass

    def note_progress(self, engine: str) -> None:
        pass

    def last_progress(self, engine: str) -> float:
        return 0.0

    def render(self, samples: Iterable[Sample] = ()) -> bytes:
        return b""


class PrometheusMetrics:
    """Metrics in a registry of prometheus-client."""

    enabled = True

    def __init__(self) -> None:
        import prometheus_client as prometheus

        self._registry = prometheus.CollectorRegistry()
        self._last_progress: dict[str, float] = {}
        self._requests = self._histogram(
            "dsocr_http_request_duration_seconds",
            "Time from a request's first byte to the end of its answer",
            ("route", "method", "status"),
        )
        self._rejections = self._counter(
            "dsocr_request_rejected", "Requests that were refused, by error code", ("reason",)
        )
        self._aborts = self._counter(
            "dsocr_requests_aborted", "Requests that ended without an answer", ("reason",)
        )
        self._stages = self._histogram(
            "dsocr_stage_seconds", "Time of a page in a part of the pipeline", ("stage",)
        )
        self._commits = self._histogram(
            "dsocr_store_commit_seconds", "Time of a write to the job store until it is durable"
        )
        self._make_page_metrics()
        prometheus.ProcessCollector(registry=self._registry)
        prometheus.GCCollector(registry=self._registry)

    def _make_page_metrics(self) -> None:
        labels = ("engine", "mode")
        self._pages = self._counter(
            "dsocr_pages", "Pages that were read, by engine and result", ("engine", "result")
        )
        self._prompt_tokens = self._counter(
            "dsocr_prompt_tokens", "Tokens of prompts and pictures", ("engine",)
        )
        self._generation_tokens = self._counter(
            "dsocr_generation_tokens", "Tokens that were generated", ("engine",)
        )
        self._queue_seconds = self._histogram(
            "dsocr_request_queue_seconds", "Time of a page from its image to the engine", labels
        )
        self._page_seconds = self._histogram(
            "dsocr_page_duration_seconds", "Time of a page in the engine", labels
        )
        self._first_token = self._histogram(
            "dsocr_time_to_first_token_seconds",
            "Time from the engine to the first text",
            labels,
            FIRST_TOKEN_BUCKETS,
        )
        self._inter_token = self._histogram(
            "dsocr_inter_token_seconds",
            "Mean time between two tokens of a page",
            labels,
            INTER_TOKEN_BUCKETS,
        )

    def _counter(self, name: str, help: str, labels: tuple[str, ...]) -> Any:
        import prometheus_client as prometheus

        return prometheus.Counter(name, help, labels, registry=self._registry)

    def _histogram(
        self,
        name: str,
        help: str,
        labels: tuple[str, ...] = (),
        buckets: tuple[float, ...] = HTTP_BUCKETS,
    ) -> Any:
        import prometheus_client as prometheus

        return prometheus.Histogram(name, help, labels, buckets=buckets, registry=self._registry)

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).observe(seconds)

    def count_rejection(self, reason: str) -> None:
        self._rejections.labels(reason).inc()

    def count_abort(self, reason: str) -> None:
        self._aborts.labels(reason).inc()

    def observe_page(self, page: PageMeasure) -> None:
        self._pages.labels(page.engine, PAGE_RESULTS[page.finish_reason]).inc()
        self._prompt_tokens.labels(page.engine).inc(page.prompt_tokens)
        self._generation_tokens.labels(page.engine).inc(page.completion_tokens)
        self.note_progress(page.engine)
        for histogram, seconds in (
            (self._queue_seconds, page.queue_seconds),
            (self._first_token, page.first_token_seconds),
            (self._inter_token, page.inter_token_seconds),
            (self._page_seconds, page.seconds),
        ):
            if seconds is not None:
                histogram.labels(page.engine, page.mode).observe(seconds)

    def observe_stage(self, stage: str, seconds: float) -> None:
        self._stages.labels(stage).observe(seconds)

    def observe_commit(self, seconds: float) -> None:
        self._commits.observe(seconds)

    def note_progress(self, engine: str) -> None:
        self._last_progress[engine] = time.time()

    def last_progress(self, engine: str) -> float:
        return self._last_progress.get(engine, 0.0)

    def render(self, samples: Iterable[Sample] = ()) -> bytes:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import generate_latest

        sampled = CollectorRegistry()
        sampled.register(_SampleCollector(samples))
        return generate_latest(self._registry) + generate_latest(sampled)


class _SampleCollector:
    """Samples in the form that prometheus-client collects."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._families: dict[str, Any] = {}
        for sample in samples:
            family, labels = self._family_of(sample), list(sample.labels.values())
            if sample.kind == "summary":
                family.add_metric(labels, count_value=sample.count, sum_value=sample.value)
            else:
                family.add_metric(labels, sample.value)

    def collect(self) -> Iterable[Metric]:
        return self._families.values()

    def _family_of(self, sample: Sample) -> Any:
        """The family that `sample` belongs to, created with the first of its name."""
        from prometheus_client import metrics_core as core

        if sample.name not in self._families:
            create: Any = {
                "gauge": core.GaugeMetricFamily,
                "counter": core.CounterMetricFamily,
                "summary": core.SummaryMetricFamily,
            }[sample.kind]
            family = create(sample.name, sample.help, labels=list(sample.labels))
            self._families[sample.name] = family
        return self._families[sample.name]
