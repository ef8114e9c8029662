"""Several models in one service: each is chosen by its name, in all ways to ask."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.config import Settings
from dsocr.engines.base import Engine
from dsocr.model_hosts import NamedModel
from dsocr.server.app import create_app
from dsocr.server.schemas.system import Health, Modes
from tests.fakes import FakeEngine, png
from tests.server.conftest import settings_with
from tests.waiting import wait_until

PAGE = png(["words"])


class Models:
    """Fake engines, each named as the folder of its weights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engines: dict[str, FakeEngine] = {}
        self.made: list[FakeEngine] = []

    def create(self, name: str, config: Any) -> Engine:
        path = getattr(config, "model_path", None)
        key = path.name if name == "native" and path else name
        engine = self.engines[key] = FakeEngine()
        engine.info = replace(engine.info, name=name, model=f"Model {key}")
        self.made.append(engine)
        if key == "two":
            engine.info = replace(engine.info, modes={"base": engine.info.modes["base"]})
        return engine

    def settings(self, **more: Any) -> Settings:
        named = []
        for name in ("one", "two"):
            path = self.folder / name
            path.mkdir()
            for file in ("config.json", "tokenizer.json", "a.safetensors"):
                (path / file).write_text("{}")
            named.append(NamedModel(name, path))
        settings = settings_with(self.folder / "runs", start_wait_seconds=60)
        return replace(settings, engine="auto", models=tuple(named), **more)


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path)


@pytest.fixture
def http(models: Models) -> Iterator[TestClient]:
    app = create_app(models.settings(), create_engine=models.create)
    with TestClient(app, raise_server_exceptions=False) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        yield client


def read(http: TestClient, **fields: str) -> Any:
    return http.post("/api/ocr", files={"image": ("a.png", PAGE)}, data=fields)


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({}, "Model one"),
        ({"model": "one"}, "Model one"),
        ({"engine": "native"}, "Model one"),
        ({"model": "auto", "engine": "auto"}, "Model one"),
        ({"model": "two", "mode": "base"}, "Model two"),
        ({"model": "ppocr"}, "Model ppocr"),
        ({"engine": "rapidocr"}, "Model ppocr"),
    ],
)
def test_a_request_is_read_by_the_model_that_it_names(
    http: TestClient, fields: dict[str, str], model: str
) -> None:
    answer = read(http, **fields)

    assert answer.status_code == 200, answer.text
    assert (answer.json()["model"], answer.json()["text"]) == (model, "words")


def test_a_model_is_started_with_its_first_page(http: TestClient, models: Models) -> None:
    states = {one["name"]: one["state"] for one in http.get("/health").json()["models"]}
    assert states == {"one": "ready", "two": "idle", "ppocr": "idle"}
    assert [models.engines[key].started for key in ("one", "two", "ppocr")] == [True, False, False]

    read(http, model="two", mode="base")

    states = {one["name"]: one["state"] for one in http.get("/health").json()["models"]}
    assert states == {"one": "ready", "two": "ready", "ppocr": "idle"}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"model": "three"}, "there is no 'three' here; there is: one, two, ppocr"),
        ({"model": "two"}, "no mode 'gundam' here; there is: base"),
        ({"model": "two", "engine": "ppocr"}, "two runs on native"),
        ({"engine": "three"}, "'three' is not running here; native, ppocr is"),
    ],
)
def test_what_a_model_is_not_or_cannot_do_is_refused(
    http: TestClient, fields: dict[str, str], problem: str
) -> None:
    answers = [
        read(http, **fields),
        http.post("/api/jobs", files={"file": ("a.png", PAGE)}, data=fields),
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert all(problem in answer.json()["error"]["message"] for answer in answers)


def test_a_job_is_read_by_the_model_that_it_names(http: TestClient) -> None:
    for name, fields in {"two": {"mode": "base"}, "ppocr": {}, "one": {}}.items():
        job = http.post(
            "/api/jobs", files={"file": ("a.png", PAGE)}, data={"model": name, **fields}
        ).json()
        wait_until(lambda id=job["jobId"]: _status(http, id) == "succeeded")  # type: ignore[misc]
        job = http.get(f"/api/jobs/{job['jobId']}").json()
        assert job["model"] == f"Model {name}"


def test_the_modes_tell_what_each_model_can_before_it_is_started(http: TestClient) -> None:
    answer = http.get("/api/modes").json()
    Modes.model_validate(answer, strict=True, extra="forbid")
    Health.model_validate(http.get("/health").json(), strict=True, extra="forbid")

    found = {one["name"]: one for one in answer["models"]}
    assert [one["default"] for one in found.values()] == [True, False, False]
    assert set(answer["modes"]) == set(found["one"]["modes"])
    assert found["two"]["modes"] == ["base"] and found["two"]["model"] == "Model two"
    engines = {engine["key"]: engine["state"] for engine in answer["engines"]}
    assert engines == {"native": "ready", "ppocr": "idle", "remote": "off", "ray": "off"}


def test_openai_clients_find_and_name_the_models(http: TestClient) -> None:
    names = [one["id"] for one in http.get("/v1/models").json()["data"]]
    assert names == ["deepseek-ocr", "one", "two", "ppocr"]
    assert http.get("/v1/models/two").json()["owned_by"] == "native"

    found = {name: _chat(http, name).json()["model"] for name in ("ppocr", "Model ppocr", "one")}
    assert found == {"ppocr": "Model ppocr", "Model ppocr": "Model ppocr", "one": "Model one"}
    assert _chat(http, "deepseek-ocr").json()["model"] == "Model one"
    unknown = _chat(http, "gpt-4o")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")


def test_metrics_count_each_model(http: TestClient) -> None:
    read(http, model="ppocr")
    text = http.get("/metrics").text
    for name, up in (("one", "1.0"), ("two", "0.0"), ("ppocr", "1.0")):
        assert f'dsocr_engine_up{{engine="{name}"}} {up}' in text


def test_a_model_without_weights_fails_alone(models: Models) -> None:
    settings = models.settings()
    (models.folder / "two" / "config.json").unlink()
    app = create_app(settings, create_engine=models.create)
    with TestClient(app, raise_server_exceptions=False) as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        failed = read(http, model="two", mode="base")
        assert (failed.status_code, failed.json()["error"]["code"]) == (503, "bad_checkpoint")
        assert "config.json" in failed.json()["error"]["message"]
        assert str(models.folder) not in failed.text
        assert read(http).status_code == 200


def test_a_default_model_that_fails_holds_no_other_up(models: Models) -> None:
    settings = models.settings()
    (models.folder / "one" / "config.json").unlink()
    app = create_app(settings, create_engine=models.create)
    with TestClient(app, raise_server_exceptions=False) as http:
        wait_until(lambda: http.get("/health").json()["engine"]["state"] == "failed")
        assert read(http).status_code == 503
        assert read(http, model="ppocr").json()["model"] == "Model ppocr"
        job = http.post(
            "/api/jobs", files={"file": ("a.png", PAGE)}, data={"model": "ppocr"}
        ).json()
        wait_until(lambda: _status(http, job["jobId"]) == "succeeded")


def test_an_idle_model_is_put_away_and_wakes_up(models: Models) -> None:
    app = create_app(models.settings(model_idle_seconds=0.01), create_engine=models.create)
    with TestClient(app, raise_server_exceptions=False) as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        read(http, model="ppocr")
        first = next(engine for engine in models.made if engine.info.name == "ppocr")
        wait_until(lambda: first.closed)
        wait_until(lambda: _state(http, "ppocr") == "idle")
        assert read(http, model="ppocr").json()["text"] == "words"
        assert _state(http, "one") == "ready"


def test_with_one_engine_the_model_may_be_named(client: Callable[..., Any]) -> None:
    with client() as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        assert [one["name"] for one in http.get("/api/modes").json()["models"]] == ["ppocr"]
        assert read(http, model="ppocr").status_code == 200
        assert read(http, model="two").status_code == 422


def _status(http: TestClient, job_id: str) -> str:
    status: str = http.get(f"/api/jobs/{job_id}").json()["status"]
    return status


def _state(http: TestClient, name: str) -> str:
    states = {one["name"]: one["state"] for one in http.get("/health").json()["models"]}
    return str(states[name])


def _chat(http: TestClient, model: str) -> Any:
    url = f"data:image/png;base64,{base64.b64encode(PAGE).decode()}"
    content = [{"type": "image_url", "image_url": {"url": url}}]
    return http.post(
        "/v1/chat/completions",
        json={"model": model, "messages": [{"role": "user", "content": content}]},
    )
