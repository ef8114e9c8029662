"""Metrics: what is counted is what is rendered; without the extra nothing is."""

from __future__ import annotations

import pytest

from dsocr import metrics
from dsocr.metrics import NoMetrics, PageMeasure, PrometheusMetrics, Sample


def values_of(rendered: bytes) -> dict[str, float]:
    lines = (line for line in rendered.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_counters_and_histograms_are_rendered_with_their_labels() -> None:
    counted = PrometheusMetrics()
    counted.observe_request("/api/jobs/{job_id}", "GET", 404, 0.02)
    counted.count_rejection("queue_full")
    counted.count_rejection("queue_full")
    counted.observe_page(PageMeasure("ppocr", "gundam", "stop"))
    values = values_of(counted.render())
    labels = 'method="GET",route="/api/jobs/{job_id}",status="404"'
    assert values[f"dsocr_http_request_duration_seconds_count{{{labels}}}"] == 1
    assert values['dsocr_request_rejected_total{reason="queue_full"}'] == 2
    assert values['dsocr_pages_total{engine="ppocr",result="ok"}'] == 1


def test_samples_are_rendered_with_the_counters() -> None:
    counted = PrometheusMetrics()
    counted.observe_page(PageMeasure("ppocr", "gundam", "stop"))
    rendered = counted.render([Sample("dsocr_requests_waiting", "Waiting", 3)])
    values = values_of(rendered)
    assert values["dsocr_requests_waiting"] == 3
    assert values['dsocr_pages_total{engine="ppocr",result="ok"}'] == 1
    assert "dsocr_requests_waiting" not in counted.render().decode()


def test_samples_of_one_name_are_one_family_with_a_type() -> None:
    samples = [
        Sample("dsocr_engine_restarts_total", "Restarts", 1, {"reason": "crash"}, "counter"),
        Sample("dsocr_engine_restarts_total", "Restarts", 2, {"reason": "stall"}, "counter"),
    ]
    rendered = PrometheusMetrics().render(samples)
    assert rendered.decode().count("# TYPE dsocr_engine_restarts_total counter") == 1
    assert values_of(rendered)['dsocr_engine_restarts_total{reason="stall"}'] == 2


def test_two_services_in_one_process_count_apart() -> None:
    one, other = PrometheusMetrics(), PrometheusMetrics()
    one.observe_page(PageMeasure("native", "gundam", "stop"))
    assert "dsocr_pages_total{" not in other.render().decode()


def test_without_the_extra_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "is_installed", lambda: False)
    counted = metrics.create_metrics()
    assert isinstance(counted, NoMetrics)
    counted.observe_request("/live", "GET", 200, 0.01)
    samples = [Sample("dsocr_engine_up", "Up", 1)]
    assert (counted.enabled, counted.render(samples)) == (False, b"")
