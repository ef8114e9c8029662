"""Counters, histograms and gauges of one process, in the Prometheus text format.

Needs the extra `metrics` (prometheus-client). Without it `create_metrics` returns `NoMetrics`,
which counts nothing. Gauges are not stored: the caller of `render` hands them in as samples.
Label values are bounded: never a file name, key, prompt or job id.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Seconds. OCR requests take longer than the ten seconds that web buckets usually end at."""


PAGE_RESULTS = {"stop": "ok", "repetition": "loop", "length": "truncated", "error": "error"}
"""Finish reason of a page -> label `result`."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a gauge or a counter, read when the metrics are rendered."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["gauge", "counter"] = "gauge"
    """A counter's `name` ends in `_total`."""


class Metrics(Protocol):
    """What the service counts, whether anything reads it or not."""

    @property
    def enabled(self) -> bool: ...

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One HTTP answer. `route` is the route's template, such as `/api/jobs/{job_id}`."""

    def count_rejection(self, reason: str) -> None:
        """One request that was refused. `reason` is an error code."""

    def count_page(self, engine: str, finish_reason: str) -> None:
        """One result of a page, as it is in the document: after all retries, failed or not."""

    def render(self, samples: Iterable[Sample] = ()) -> bytes:
        """The metrics and `samples` in the Prometheus text format, version 0.0.4."""


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

    def count_page(self, engine: str, finish_reason: str) -> None:
        pass

    def render(self, samples: Iterable[Sample] = ()) -> bytes:
        return b""


class PrometheusMetrics:
    """Metrics in a registry of prometheus-client."""

    enabled = True

    def __init__(self) -> None:
        import prometheus_client as prometheus

        self._registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Histogram(
            "dsocr_http_request_duration_seconds",
            "Time from a request's first byte to the end of its answer",
            ("route", "method", "status"),
            buckets=HTTP_BUCKETS,
            registry=self._registry,
        )
        self._rejections = prometheus.Counter(
            "dsocr_request_rejected",
            "Requests that were refused, by error code",
            ("reason",),
            registry=self._registry,
        )
        self._pages = prometheus.Counter(
            "dsocr_pages",
            "Pages that were read, by engine and result",
            ("engine", "result"),
            registry=self._registry,
        )
        prometheus.ProcessCollector(registry=self._registry)
        prometheus.GCCollector(registry=self._registry)

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).observe(seconds)

    def count_rejection(self, reason: str) -> None:
        self._rejections.labels(reason).inc()

    def count_page(self, engine: str, finish_reason: str) -> None:
        self._pages.labels(engine, PAGE_RESULTS[finish_reason]).inc()

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
            family = self._family_of(sample)
            family.add_metric(list(sample.labels.values()), sample.value)

    def collect(self) -> Iterable[Metric]:
        return self._families.values()

    def _family_of(self, sample: Sample) -> Any:
        """The family that `sample` belongs to, created with the first of its name."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        if sample.name not in self._families:
            create = CounterMetricFamily if sample.kind == "counter" else GaugeMetricFamily
            family = create(sample.name, sample.help, labels=list(sample.labels))
            self._families[sample.name] = family
        return self._families[sample.name]
