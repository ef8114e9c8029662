"""What the service says of itself, and errors that no route makes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.config import ServerConfig, Settings
from dsocr.engines.pool import EnginePool
from dsocr.engines.registry import ENGINES
from dsocr.engines.selection import EngineSelection
from dsocr.errors import BadCheckpoint, DsocrError, EngineUnavailable
from dsocr.process.progress import StartProgress
from dsocr.runtime.config import RuntimeConfig
from dsocr.server import problems
from dsocr.server.app import create_app
from dsocr.server.schemas.errors import ErrorAnswer
from dsocr.server.schemas.system import Health, Modes
from dsocr.server.serve import _raw_error
from tests.fakes import FakeEngine, png
from tests.server.conftest import Client
from tests.test_metrics import values_of
from tests.waiting import wait_until


class StartsLater(FakeEngine):
    """Fails a given number of starts, then starts."""

    def __init__(self, failures: list[Exception]) -> None:
        super().__init__()
        self.failures = failures

    async def start(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        await super().start()


def test_health_shows_the_engine_and_why_it_was_selected(client: Client) -> None:
    with client() as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        body = http.get("/health").json()

    Health.model_validate(body, strict=True, extra="forbid")
    assert body["status"] == "ok" and body["modelLoaded"] is True
    assert body["engine"]["state"] == "ready"
    assert body["engine"]["reason"] == "ppocr was requested"
    worker = {"device": "cpu", "state": "ready", "trouble": "", "pages": 0, "restarts": 0}
    assert body["engine"]["workers"] == [worker]


class NeverStarts(FakeEngine):
    async def start(self) -> None:
        raise EngineUnavailable("There is no cuda:1.")


def on_devices(*engines: FakeEngine) -> EnginePool:
    for number, engine in enumerate(engines):
        engine.info = replace(engine.info, device=f"cuda:{number}")
    return EnginePool(engines)


def test_health_shows_each_worker_and_the_service_is_ready_with_one(client: Client) -> None:
    pool = on_devices(FakeEngine(), NeverStarts())
    with client(pool) as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        wait_until(lambda: http.get("/health").json()["engine"]["workers"][1]["trouble"])
        engine = http.get("/health").json()["engine"]
        assert http.post("/api/ocr", files={"image": png(["words"])}).status_code == 200
        values = values_of(http.get("/metrics").content)

    assert (engine["state"], engine["device"]) == ("ready", "cuda:0, cuda:1")
    states = [(one["device"], one["state"], one["trouble"]) for one in engine["workers"]]
    assert states == [("cuda:0", "ready", ""), ("cuda:1", "failed", "There is no cuda:1.")]
    labels = 'device="cuda:{0}",engine="ppocr",worker="{0}"'
    for number, up in ((0, 1), (1, 0)):
        of_worker = labels.format(number)
        assert values[f"dsocr_engine_worker_up{{{of_worker}}}"] == up
        assert values[f"dsocr_engine_worker_pages{{{of_worker}}}"] == 0
        assert values[f"dsocr_engine_worker_restarts_total{{{of_worker}}}"] == 0


def test_a_restarting_engine_is_not_ready_and_requests_wait_for_it(
    client: Client,
) -> None:
    engine = FakeEngine()
    with client(engine) as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        engine.unhealthy_reason = "The engine's process ended; it is started again."

        answer = http.get("/ready")
        assert answer.status_code == 503 and "started again" in answer.json()["detail"]
        assert http.get("/live").status_code == 200
        assert http.get("/health").json()["engine"]["state"] == "starting"
        assert http.post("/api/ocr", files={"image": png(["words"])}).status_code == 200

        engine.unhealthy_reason = ""
        assert http.get("/ready").status_code == 200


def test_modes_lists_all_choices(client: Client) -> None:
    with client(max_image_mb=7.5) as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        body = http.get("/api/modes").json()

    Modes.model_validate(body, strict=True, extra="forbid")
    assert body["maxImageMb"] == body["limits"]["maxImageMb"] == 7.5
    assert [task["key"] for task in body["tasks"]][:2] == ["markdown", "text"]
    assert {"markdown", "json", "zip"} <= {entry["key"] for entry in body["formats"]}
    states = {engine["key"]: engine["state"] for engine in body["engines"]}
    assert (states["native"], states["ppocr"]) == ("off", "ready")
    assert states.keys() == ENGINES.keys()


def test_advice_stands_at_the_engine_that_it_is_about(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "third", "nowhere:Engine")
    with client() as http:
        host = http.app.state.service.host  # type: ignore[attr-defined]
        host.selection = EngineSelection("ppocr", "no weights", "Get them.", better="native")
        engines = http.get("/api/modes").json()["engines"]

    reasons = {engine["key"]: engine["reason"] for engine in engines}
    assert (reasons["native"], reasons["ppocr"]) == ("Get them.", "no weights")
    assert reasons["third"] == "ppocr is used here"


def test_tasks_are_listed_once_the_engine_is_ready(client: Client) -> None:
    with client(StartsLater([EngineUnavailable()] * 99)) as http:
        assert http.get("/health").json()["engine"]["tasks"] is None
    with client() as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        tasks = http.get("/health").json()["engine"]["tasks"]
    assert tasks == ["markdown", "text", "ocr", "locate", "custom"]


@pytest.mark.parametrize("path", ["/live", "/ready", "/health"])
def test_monitors_may_send_head(client: Client, path: str) -> None:
    with client(FakeEngine()) as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        answer = http.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_service_runs_without_an_engine_that_does_not_start(client: Client) -> None:
    with client(StartsLater([BadCheckpoint("lacks config.json")] * 99)) as http:
        wait_until(lambda: http.get("/health").json()["engine"]["state"] == "failed")
        health = http.get("/health")
        ready = http.get("/ready")
        answer = http.post("/api/ocr", files={"image": png(["words"])})

        assert http.get("/live").status_code == 200
    assert health.status_code == 200 and health.json()["modelLoaded"] is False
    assert health.json()["engine"]["trouble"] == "lacks config.json"
    assert ready.status_code == 503
    assert answer.status_code == 503 and "lacks config.json" in answer.text
    assert answer.json()["error"]["code"] == "bad_checkpoint"
    assert answer.json()["error"]["retryable"] is False
    assert int(answer.headers["retry-after"]) > 0


def test_the_path_of_the_weights_is_not_disclosed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "secret folder"
    weights.mkdir()
    (tmp_path / "link").symlink_to(weights)
    settings = Settings(
        engine="native",
        runs_dir=tmp_path / "runs",
        runtime=RuntimeConfig(model_path=tmp_path / "link"),
        server=ServerConfig(start_wait_seconds=0),
    )
    unhealthy_reason = (
        f"{weights.resolve()}/tokenizer.json cannot be read. Look into {tmp_path / 'link'}."
    )
    engine = StartsLater([BadCheckpoint(unhealthy_reason)] * 99)
    with TestClient(create_app(settings, create_engine=lambda *_: engine)) as http:
        wait_until(lambda: http.get("/health").json()["engine"]["state"] == "failed")
        shown = http.get("/health").text + http.get("/ready").text
        shown += http.post("/api/ocr", files={"image": png(["words"])}).text

    assert "the model folder/tokenizer.json cannot be read" in shown
    assert str(tmp_path) not in shown


def test_a_failed_start_is_retried(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsocr.host.MIN_PAUSE_SECONDS", 0.01)
    failures: list[Exception] = [EngineUnavailable("no"), RuntimeError("a bug")]
    with client(StartsLater(failures)) as http:
        wait_until(lambda: http.get("/ready").status_code == 200)


def test_a_request_waits_for_a_starting_engine(client: Client) -> None:
    class Slow(FakeEngine):
        def __init__(self) -> None:
            super().__init__()
            self.may_start = threading.Event()

        async def start(self) -> None:
            while not self.may_start.is_set():
                await asyncio.sleep(0.01)

    engine = Slow()
    with client(engine) as http, ThreadPoolExecutor(1) as beside:
        assert http.get("/ready").status_code == 503
        asked = beside.submit(http.post, "/api/ocr", files={"image": png(["words"])})
        wait_until(lambda: num_admitted(http) == 1)
        engine.may_start.set()
        assert asked.result().status_code == 200
    with client(Slow(), start_wait_seconds=0) as http:
        assert http.post("/api/ocr", files={"image": png(["words"])}).status_code == 503


def test_ready_and_health_say_how_far_the_start_is(client: Client) -> None:
    class Starts(FakeEngine):
        start_progress = StartProgress("compiling kernels", 31, 52)

        async def start(self) -> None:
            await asyncio.Event().wait()

    with client(Starts()) as http:
        answer = http.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "The ppocr engine is starting: compiling kernels 31/52."
        body = http.get("/health").json()
    Health.model_validate(body, strict=True, extra="forbid")
    assert body["engine"]["progress"] == {
        "stage": "compiling kernels",
        "done": 31,
        "total": 52,
        "unit": "",
    }


def test_modes_are_those_of_the_engine_that_starts(client: Client) -> None:
    class Starts(FakeEngine):
        def __init__(self) -> None:
            super().__init__()
            modes = {key: self.info.modes[key] for key in ("gundam", "small")}
            self.info = dataclasses.replace(self.info, modes=modes)

        async def start(self) -> None:
            await asyncio.Event().wait()

    with client(Starts()) as http:
        wait_until(lambda: list(http.get("/api/modes").json()["modes"]) == ["gundam", "small"])
        assert http.get("/health").json()["modelLoaded"] is False


def num_admitted(http: TestClient) -> int:
    queue = http.get("/health").json()["queue"]
    return int(queue["running"] + queue["waiting"])


def test_the_engine_is_closed_at_shutdown(client: Client) -> None:
    engine = FakeEngine()
    with client(engine) as http:
        http.get("/live")
    assert engine.closed


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/nowhere", 404, "not_found"),
        ("GET", "/api/ocr/", 404, "not_found"),
        ("GET", "/api/ocr", 405, "method_not_allowed"),
        ("DELETE", "/health", 405, "method_not_allowed"),
    ],
)
def test_unknown_paths_have_the_error_shape(
    client: Client, method: str, path: str, status: int, code: str
) -> None:
    with client() as http:
        answer = http.request(method, path)

    assert answer.status_code == status
    ErrorAnswer.model_validate(answer.json(), strict=True)
    assert answer.json()["error"]["code"] == code
    assert ("allow" in answer.headers) == (status == 405)


def is_foreign(path: str) -> bool:
    """Whether the errors of a path have the shape of another product; datalab's is below /api/."""
    return not path.startswith("/api/") or path.startswith("/api/v1/marker")


def test_openapi_describes_every_response(client: Client) -> None:
    with client() as http:
        document = http.get("/openapi.json").json()

    operation = document["paths"]["/api/ocr"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    [documents] = form["allOf"]
    assert [each["required"] for each in documents["anyOf"]] == [["image"], ["file"], ["url"]]
    jobs = document["paths"]["/api/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]
    [documents] = jobs["schema"]["allOf"]
    assert [each["required"] for each in documents["anyOf"]] == [["file"], ["url"]]
    assert {"image", "mode", "prompt", "pages", "no_repeat_ngram"} <= set(form["properties"])
    assert {"200", "401", "413", "415", "422", "429", "503", "504"} <= set(operation["responses"])
    assert operation["security"] == [{"HTTPBearer": []}, {"APIKeyHeader": []}]
    own, foreign = r"/ErrorAnswer$", r"/[A-Z]\w*ErrorAnswer$|/ErrorAnswer$"
    for path, methods in document["paths"].items():
        for method, spec in methods.items():
            for status, response in spec["responses"].items():
                if status >= "400":
                    schema: dict[str, Any] = response["content"]["application/json"]["schema"]
                    assert re.search(foreign if is_foreign(path) else own, schema["$ref"]), (
                        path,
                        method,
                        status,
                    )


def test_the_plain_page_loads_nothing_from_other_hosts(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsocr.server.web_page.page_folder", lambda config: None)
    with client() as http:
        page = http.get("/", headers={"Host": 'evil"><script>'})

    assert page.status_code == 200
    assert "<script" not in page.text and "https://" not in page.text


def test_a_built_page_is_served_with_its_files(client: Client, tmp_path: Any) -> None:
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<p>built</p>")
    (tmp_path / "dist" / "icon.svg").write_text("<svg/>")
    (tmp_path / "dist" / "assets" / "app-1a2b.js").write_text("1")
    with client(page_dir=tmp_path / "dist", api_keys=("key",)) as http:
        assert http.get("/").text == "<p>built</p>"
        assert http.get("/icon.svg").status_code == 200
        assert "immutable" in http.get("/assets/app-1a2b.js").headers["cache-control"]
        assert http.get("/assets/../index.html").status_code in (200, 404)
        assert http.get("/assets/%2e%2e/%2e%2e/x").status_code == 404
        assert http.post("/nowhere").status_code == 404


def test_only_the_assets_of_the_page_are_compressed(client: Client, tmp_path: Any) -> None:
    script = "const words = 'of a script';\n" * 20_000
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>built</p>" * 1000)
    (tmp_path / "assets" / "app-1a2b.js").write_text(script)
    (tmp_path / "assets" / "font-1a2b.woff2").write_bytes(b"packed already" * 1000)
    with client(page_dir=tmp_path) as http:
        packed = http.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "br, gzip"})
        assert (packed.text, packed.headers["content-encoding"]) == (script, "gzip")
        assert "Accept-Encoding" in packed.headers["vary"]
        assert "immutable" in packed.headers["cache-control"]
        plain = http.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "identity"})
        assert (plain.text, "content-encoding" in plain.headers) == (script, False)
        part = http.get("/assets/app-1a2b.js", headers={"Range": "bytes=6-10"})
        assert (part.status_code, part.text) == (206, "words")
        for path in ("/assets/font-1a2b.woff2", "/", "/api/modes", "/openapi.json"):
            answer = http.get(path, headers={"Accept-Encoding": "gzip"})
            assert answer.status_code == 200
            assert "content-encoding" not in answer.headers, path


def test_the_docs_list_every_error_with_its_status() -> None:
    written = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d{3}) \| (.*) \|$", written, re.MULTILINE)
    documented = {
        (int(status), code) for status, row in rows for code in re.findall(r"`([a-z_]+)`", row)
    }
    raised = {(status, kind.code) for kind, status in problems.STATUS.items()}
    raised |= {(status, code) for status, code in problems._HTTP_CODES.items()}
    raised |= {
        (status, json.loads(_raw_error(status, "").split(b"\r\n\r\n")[1])["error"]["code"])
        for status in (400, 503)
    }
    assert documented == raised
    left = {kind.code for kind in _kinds(DsocrError)} - {code for _, code in raised}
    # Errors that are only printed on a terminal, and errors that only a job can have.
    terminal = {"bad_setting", "cannot_listen", "unreachable", "download_failed", "too_many_errors"}
    terminal |= {"bad_key_file", "tracing_off"}
    assert left <= terminal
    assert "`job_timeout`" in written


def _kinds(base: type[DsocrError]) -> Iterator[type[DsocrError]]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith("dsocr."):
            yield kind
            yield from _kinds(kind)


def test_the_openapi_document_in_the_docs_is_current(client: Client) -> None:
    written = Path(__file__).parents[2] / "docs" / "openapi.json"
    with client() as http:
        described = http.get("/openapi.json").json()

    assert json.loads(written.read_text("utf-8")) == described, "run scripts/openapi.py"
