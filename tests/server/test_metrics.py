"""`GET /metrics`: what clients saw is what is counted, under a bounded number of labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dsocr import metrics
from dsocr.errors import StoreUnavailable
from dsocr.jobs.queue import JobQueue
from dsocr.server.routes.metrics import storage_samples
from tests.fakes import pdf, png
from tests.server.conftest import Client
from tests.test_metrics import values_of
from tests.waiting import wait_until


def scraped(http: TestClient, **headers: str) -> dict[str, float]:
    answer = http.get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return values_of(answer.content)


def read(http: TestClient, content: bytes) -> int:
    return http.post("/api/ocr", files={"image": ("a.png", content)}).status_code


def count(values: dict[str, float], name: str) -> float:
    """The sum over all labels."""
    return sum(value for key, value in values.items() if key.partition("{")[0] == name)


def test_requests_are_counted_by_route_and_status(client: Client) -> None:
    with client() as http:
        assert [read(http, png(["a"])) for _ in range(3)] == [200] * 3
        assert read(http, b"no image") == 415
        values = scraped(http)
    name = "dsocr_http_request_duration_seconds_count"
    assert values[f'{name}{{method="POST",route="/api/ocr",status="200"}}'] == 3
    assert values[f'{name}{{method="POST",route="/api/ocr",status="415"}}'] == 1
    assert values['dsocr_request_rejected_total{reason="not_a_document"}'] == 1


def test_every_page_result_is_counted_once_whoever_asked_for_it(client: Client) -> None:
    with client() as http:
        assert read(http, pdf([["a"], ["b"], ["@crash"]])) == 200
        assert read(http, png(["@crash"])) == 503
        form = {"file": ("b.pdf", pdf([["c"], ["@loop"]]))}
        job = http.post("/api/jobs", files=form).json()["jobId"]
        wait_until(lambda: http.get(f"/api/jobs/{job}").json()["finishedAt"] is not None)
        values = scraped(http)
    assert {key: value for key, value in values.items() if key.startswith("dsocr_pages_total")} == {
        'dsocr_pages_total{engine="fake",result="ok"}': 3,
        'dsocr_pages_total{engine="fake",result="loop"}': 1,
        'dsocr_pages_total{engine="fake",result="error"}': 2,
    }


def test_an_answer_to_a_bug_is_counted_and_is_no_refusal(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(queue: JobQueue) -> dict[str, int]:
        raise RuntimeError

    with client() as http:
        with monkeypatch.context() as patched:
            patched.setattr(JobQueue, "count_by_status", fail)
            assert http.get("/metrics").status_code == 500
        values = scraped(http)
    name = "dsocr_http_request_duration_seconds_count"
    assert values[f'{name}{{method="GET",route="/metrics",status="500"}}'] == 1
    assert count(values, "dsocr_request_rejected_total") == 0


def test_routes_are_templates_and_unknown_paths_are_one(client: Client) -> None:
    with client() as http:
        for number in range(20):
            http.get(f"/api/jobs/{number:032x}")
            http.get(f"/no/such/path/{number}")
        values = scraped(http)
    routes = {key for key in values if key.startswith("dsocr_http_request_duration_seconds_count")}
    assert len(routes) == 2
    assert any('route="/api/jobs/{job_id}",status="404"' in key for key in routes)


def test_the_engine_the_queue_and_the_jobs_are_gauges(client: Client) -> None:
    with client() as http:
        http.post("/api/jobs", files={"file": ("a.png", png(["a"]))})
        values = scraped(http)
    assert values['dsocr_engine_up{engine="ppocr"}'] == 1
    assert values['dsocr_requests_running{engine="ppocr"}'] == 0
    assert values['dsocr_engine_restarts_total{engine="ppocr",reason="crash"}'] == 0
    assert (values["dsocr_store_up"], count(values, "dsocr_jobs")) == (1, 1)
    assert values["dsocr_job_recovered_total"] == 0
    assert values["dsocr_store_commit_seconds_count"] >= 1
    assert count(values, "dsocr_build_info") == 1


def test_without_its_database_a_service_is_measured_and_does_not_name_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("The database cannot be reached: no connection to 10.1.2.3")

    with client() as http:
        monkeypatch.setattr(JobQueue, "count_by_status", fail)
        monkeypatch.setattr(JobQueue, "list", fail)
        refused = http.get("/api/jobs")
        values = scraped(http)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
    assert "10.1.2.3" not in refused.text
    assert (values["dsocr_store_up"], count(values, "dsocr_jobs")) == (0, 0)
    assert values['dsocr_engine_up{engine="ppocr"}'] == 1


def test_files_of_requests_are_counted_and_those_of_jobs_are_not(tmp_path: Path) -> None:
    for name in ("upload-a/1", "jobs/incoming/process/upload-b/1", "jobs/files/job/1"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"12345")
    samples = {sample.name: sample.value for sample in storage_samples(tmp_path)}
    assert samples["dsocr_temp_bytes"] == 10


def test_metrics_need_a_key_where_there_are_keys(client: Client) -> None:
    with client(api_keys=("secret",)) as http:
        assert http.get("/metrics").status_code == 401
        values = scraped(http, authorization="Bearer secret")
    assert values['dsocr_request_rejected_total{reason="unauthorized"}'] == 1


def test_without_the_package_the_answer_says_what_to_install(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "is_installed", lambda: False)
    with client() as http:
        assert read(http, png(["a"])) == 200
        answer = http.get("/metrics")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "metrics_off")
    assert "dsocr[metrics]" in answer.json()["error"]["message"]
