"""After a storm the counters equal what clients saw; traces, logs, dashboard, alerts."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx2 as httpx
import pytest
import yaml
from starlette.types import Receive, Scope, Send

from dsocr import logs, tracing
from dsocr.config import Settings
from dsocr.engines.stats import EngineStats, WorkerState
from dsocr.metrics import PageMeasure, PrometheusMetrics
from dsocr.server.middleware.request_id import RequestIdMiddleware
from dsocr.server.routes.metrics import engine_samples, worker_samples
from tests.fakes import FakeEngine, pdf, png
from tests.served import served
from tests.test_metrics import values_of
from tests.waiting import wait_until

OBSERVABILITY = Path(__file__).parents[2] / "deploy" / "observability"


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine(max_concurrency=4)


@pytest.fixture(scope="module")
def port(engine: FakeEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(Settings(runs_dir=tmp_path_factory.mktemp("runs")), engine) as port:
        yield port


@pytest.fixture
def http(port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client


def scraped(http: httpx.Client) -> dict[str, float]:
    return values_of(http.get("/metrics").content)


def abandon(port: int, engine: FakeEngine) -> None:
    """Sends a page that takes long, and closes the connection once it is being recognized."""
    name = threading.current_thread().name
    body = b'--b\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    body += png([name, "@hang"]) + b"\r\n--b--\r\n"
    head = "POST /api/ocr HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        wait_until(lambda: name in engine.read)


def test_after_a_storm_counters_equal_what_clients_saw(
    http: httpx.Client, port: int, engine: FakeEngine
) -> None:
    def send(number: int) -> tuple[str, int]:
        content, route = {
            0: (png([f"page {number}"]), "/api/ocr"),
            1: (png(["@loop"]), "/api/ocr"),
            2: (b"no picture", "/api/ocr"),
            3: (png(["@crash"]), "/api/ocr"),
            4: (png(["words"]), "/api/export"),
        }[number % 5]
        return route, http.post(route, files={"image": ("a.png", content)}).status_code

    with ThreadPoolExecutor(6) as pool:
        gone = [pool.submit(abandon, port, engine) for _ in range(3)]
        seen = Counter(pool.map(send, range(40)))
        for one in gone:
            one.result()
    aborted = "dsocr_requests_aborted_total"
    wait_until(lambda: scraped(http).get(f'{aborted}{{reason="client_gone"}}') == 3)
    wait_until(lambda: scraped(http)["dsocr_temp_bytes"] == 0)
    values = scraped(http)

    name = "dsocr_http_request_duration_seconds_count"
    for (route, status), count in seen.items():
        assert values[f'{name}{{method="POST",route="{route}",status="{status}"}}'] == count
    posted = sum(value for key, value in values.items() if key.startswith(f'{name}{{method="POST"'))
    assert posted == 40
    pages = {key: value for key, value in values.items() if key.startswith("dsocr_pages_total")}
    assert pages == {
        f'dsocr_pages_total{{engine="fake",result="{result}"}}': count
        for result, count in (("ok", 8), ("loop", 8), ("error", 8), ("cancelled", 3))
    }
    refused = sum(count for (_, status), count in seen.items() if status != 200)
    rejected = [key for key in values if key.startswith("dsocr_request_rejected_total")]
    assert sum(values[key] for key in rejected) == refused
    assert values['dsocr_stage_seconds_count{stage="receive"}'] == 40 + 3
    mode = '{engine="fake",mode="gundam"}'
    assert values[f"dsocr_page_duration_seconds_count{mode}"] == 16 + 8
    assert values[f"dsocr_time_to_first_token_seconds_count{mode}"] >= 16
    assert values['dsocr_requests_running{engine="ppocr"}'] == 0
    assert values['dsocr_engine_stalled{engine="ppocr"}'] == 0
    assert len(values) < 500


def test_a_trace_goes_from_the_caller_to_the_engine(http: httpx.Client) -> None:
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter = memory.InMemorySpanExporter()
    tracing.start("", exporter)
    try:
        caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        files = {"image": ("a.png", png(["secret words"]))}
        assert http.post("/api/ocr", files=files, headers={"traceparent": caller}).is_success
        wait_until(
            lambda: any(span.kind.name == "SERVER" for span in exporter.get_finished_spans())
        )
    finally:
        tracing.stop()
    spans = {span.name: span for span in exporter.get_finished_spans()}

    assert {"POST", "ocr.render", "ocr.queue", "ocr.engine", "ocr.store"} <= spans.keys()
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {caller[3:35]}
    assert spans["ocr.engine"].parent.span_id == spans["POST"].context.span_id
    assert spans["ocr.engine"].attributes["gen_ai.request.model"] == "fake-1"
    assert spans["POST"].attributes["http.route"] == "/api/ocr"
    assert "secret" not in repr([dict(span.attributes) for span in spans.values()])


@pytest.mark.parametrize("most", [2, 1])
def test_the_pages_of_a_job_are_in_its_trace_or_linked_to_it(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    monkeypatch.setattr("dsocr.pipeline.pipeline.MAX_NESTED_PAGES", most)
    exporter = memory.InMemorySpanExporter()
    tracing.start("", exporter)
    try:
        form = {"file": ("a.pdf", pdf([["one"], ["two"]]))}
        job_id = http.post("/api/jobs", files=form).json()["jobId"]
        names = {"ocr.job", "POST"}
        wait_until(lambda: names <= {span.name for span in exporter.get_finished_spans()})
    finally:
        tracing.stop()
    spans = exporter.get_finished_spans()
    [job] = [span for span in spans if span.name == "ocr.job"]
    [accepted] = [span for span in spans if span.name == "POST"]
    assert job.attributes["dsocr.job"] == accepted.attributes["dsocr.job"] == job_id
    pages = [span for span in spans if span.name == "ocr.page"]
    engines = {span.parent.span_id for span in spans if span.name == "ocr.engine"}
    assert engines == {page.context.span_id for page in pages}
    assert sorted(page.attributes["dsocr.page"] for page in pages) == [0, 1]
    for page in pages:
        if most == 2:
            assert page.parent.span_id == job.context.span_id and not page.links
        else:
            assert page.parent is None
            assert [link.context.span_id for link in page.links] == [job.context.span_id]


def test_without_a_collector_nothing_is_traced() -> None:
    with tracing.span("ocr.engine", any__name="x") as span:
        span.set(more=1)
        span.event("first token")
    assert (tracing.trace_id(), tracing.outgoing_headers()) == ("", {})


def test_a_json_log_has_the_request_and_no_line_breaks(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Handler()
    handler.setFormatter(logs.JsonFormatter())
    monkeypatch.setattr(logs.REQUESTS, "handlers", [handler])
    monkeypatch.setattr(logs.REQUESTS, "level", logging.INFO)
    logs.REQUESTS.manager._clear_cache()  # type: ignore[attr-defined]  # of levels
    http.get("/api/jobs/" + "0" * 32, headers={"X-Request-Id": "mine"})
    wait_until(lambda: lines)
    logs.REQUESTS.manager._clear_cache()  # type: ignore[attr-defined]
    line = json.loads(lines[0])

    assert (line["request_id"], line["route"], line["status"]) == (
        "mine",
        "/api/jobs/{job_id}",
        404,
    )
    assert (line["level"], line["event"], line["code"]) == ("info", "request", "not_found")
    record = logging.LogRecord("x", logging.INFO, "", 0, "a\nb\x1b", (), None)
    assert "\n" not in logs.JsonFormatter().format(record)


def known_names(http: httpx.Client) -> set[str]:
    """Every name that `/metrics` can give."""
    counted = PrometheusMetrics()
    counted.observe_request("/", "GET", 200, 0.1)
    counted.count_rejection("queue_full")
    counted.count_abort("client_gone")
    counted.observe_stage("render", 0.1)
    counted.observe_page(PageMeasure("native", "gundam", "stop", 0.1, 0.1, 0.1, 0.1, 1, 2))
    load = {"running": 1, "waiting": 0, "cache_used": 0.5, "preemptions": 0, "out_of_memory": 0}
    load |= {"steps": 2, "step_tokens": 6, "gpu_bytes": 1, "gpu_total_bytes": 2}
    worker = WorkerState("server-1", "ready", outcomes={"ok": 1})
    samples = [*engine_samples("native", EngineStats(load=load)), *worker_samples("x", [worker])]
    values = [*values_of(counted.render(samples)), *scraped(http)]
    return {name.partition("{")[0] for name in values}


def used_names(text: str) -> set[str]:
    return set(re.findall(r"\b(?:dsocr|process)_[a-z_]+", text))


def test_the_device_is_described_as_far_as_the_engine_reports_it() -> None:
    load = {"running": 1.0, "waiting": 0.0, "cache_used": 0.5, "steps": 2.0, "step_tokens": 6.0}
    gpu = {"gpu_bytes": 1.0, "gpu_total_bytes": 2.0}
    counted = PrometheusMetrics()

    def rendered(load: dict[str, float]) -> dict[str, float]:
        return values_of(counted.render(engine_samples("native", EngineStats(load=load))))

    on_cpu, on_gpu = rendered(load), rendered(load | gpu)
    name = '{engine="native"}'
    assert on_cpu[f"dsocr_step_tokens_sum{name}"] == 6
    assert on_cpu[f"dsocr_step_tokens_count{name}"] == 2
    assert not any("gpu" in key for key in on_cpu)
    assert on_gpu[f"dsocr_gpu_memory_bytes{name}"] == 1
    assert on_gpu[f"dsocr_gpu_memory_total_bytes{name}"] == 2


async def test_a_request_that_the_end_of_the_service_cuts_off_is_counted() -> None:
    entered = asyncio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        await asyncio.Event().wait()

    counted = PrometheusMetrics()
    state = SimpleNamespace(service=SimpleNamespace(metrics=counted))
    scope: Scope = {"type": "http", "method": "POST", "headers": []}
    scope["app"] = SimpleNamespace(state=state)
    request = asyncio.ensure_future(RequestIdMiddleware(wait)(scope, wait, wait))
    await entered.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert values_of(counted.render())['dsocr_requests_aborted_total{reason="shutdown"}'] == 1


def test_a_span_of_another_process_is_the_child_of_the_one_around() -> None:
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter = memory.InMemorySpanExporter()
    tracing.record("ocr.prefill", 1.0, 2.0)  # without a collector: nothing
    tracing.start("", exporter)
    try:
        with tracing.span("ocr.engine"):
            tracing.record("ocr.prefill", 1.5, 2.0, dsocr__mode="gundam")
    finally:
        tracing.stop()
    timed, around = exporter.get_finished_spans()
    assert (timed.name, timed.start_time, timed.end_time) == ("ocr.prefill", 1.5e9, 2e9)
    assert timed.parent.span_id == around.context.span_id
    assert timed.attributes["dsocr.mode"] == "gundam"


def test_the_dashboard_uses_metrics_that_there_are(http: httpx.Client) -> None:
    dashboard = json.loads((OBSERVABILITY / "grafana.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    used = used_names("\n".join(expressions))

    assert len(used) > 25
    assert used - known_names(http) == set()
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_documentation_has_every_metric(http: httpx.Client) -> None:
    page = (OBSERVABILITY.parents[1] / "docs" / "monitoring.md").read_text("utf-8")
    named = set(re.findall(r"`(dsocr_[a-z_]+)`", page))
    parts = re.compile("_(bucket|count|sum|created)$")
    known = {parts.sub("", name) for name in known_names(http) if name.startswith("dsocr_")}
    totals = {name for name in known if f"{name}_total" in known}  # of `_created`
    assert named == known - totals


def test_the_alerts_use_metrics_that_there_are(http: httpx.Client) -> None:
    [group] = yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())["groups"]
    used = used_names("\n".join(rule["expr"] for rule in group["rules"]))

    assert len(used) >= 8
    assert used - known_names(http) == set()
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"].endswith(".")
