from dataclasses import replace
from pathlib import Path

import pytest

from dsocr.engines import registry
from dsocr.engines.pool import EnginePool
from dsocr.errors import EngineUnavailable
from tests.cli.conftest import Dsocr
from tests.fakes import FakeEngine


def test_an_engine_that_reads_the_trial_page_passes(dsocr: Dsocr) -> None:
    ran = dsocr("doctor")
    lines = ran.out.decode().splitlines()
    assert ran.status == 0, ran.out
    assert any(line.startswith("ok trial") for line in lines)
    assert any(line.startswith("ok engine") and "ppocr, because" in line for line in lines)
    assert "dsocr download" in ran.out.decode()
    (at_once,) = (line for line in lines if line.startswith("ok at once"))
    assert "64 requests (the engine takes 2 pages at once)" in at_once


def test_an_engine_that_does_not_start_fails_the_check(
    dsocr: Dsocr, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise EngineUnavailable("The card is on fire.")

    monkeypatch.setattr(fake_engine, "start", fail)
    ran = dsocr("doctor")
    assert ran.status == 1
    assert "NO trial      The card is on fire." in ran.out.decode()
    assert "fix the lines marked NO" in ran.out.decode()


def test_a_misread_trial_page_is_reported(dsocr: Dsocr, fake_engine: FakeEngine) -> None:
    ran = dsocr("doctor")
    assert ran.status == 0
    assert "-- trial" in ran.out.decode()


def test_a_runs_folder_that_cannot_be_used_fails_the_check(
    dsocr: Dsocr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_OCR_RUNS_DIR", __file__)
    ran = dsocr("doctor", "--quick")
    assert ran.status == 1
    assert f"NO runs       DEEPSEEK_OCR_RUNS_DIR: {__file__} cannot" in ran.out.decode()


def test_quick_starts_no_engine(dsocr: Dsocr, fake_engine: FakeEngine) -> None:
    ran = dsocr("doctor", "--quick")
    assert (ran.status, fake_engine.started) == (0, False)
    assert not any(line[3:].startswith("trial ") for line in ran.out.decode().splitlines())
    assert "64 requests (the engine is not ready)" in ran.out.decode()


def test_each_worker_of_the_engine_is_listed(
    dsocr: Dsocr, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NeverStarts(FakeEngine):
        async def start(self) -> None:
            raise EngineUnavailable("There is no cuda:1.")

    broken = NeverStarts()
    broken.info = replace(broken.info, device="cuda:1")
    pool = EnginePool([fake_engine, broken])
    monkeypatch.setattr(registry, "create", lambda name, config: pool)

    ran = dsocr("doctor")

    assert ran.status == 0
    lines = ran.out.decode().splitlines()
    assert "ok worker     cpu: ready, 0 pages in flight, 0 restarts" in lines
    assert "-- worker     cuda:1: failed, There is no cuda:1." in lines


def test_named_models_are_listed_and_one_without_weights_fails_the_check(
    dsocr: Dsocr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tmp_path / "good"
    good.mkdir()
    for name in ("config.json", "tokenizer.json", "a.safetensors"):
        (good / name).write_text("{}")
    monkeypatch.setenv("DEEPSEEK_OCR_MODELS", f"one={good}@cpu,two={tmp_path / 'none'}")
    monkeypatch.delenv("DEEPSEEK_OCR_ENGINE", raising=False)
    ran = dsocr("doctor", "--quick")
    text = ran.out.decode()
    assert ran.status == 1
    assert f"ok model      one: {good} on cpu" in text
    assert "NO model      two: " in text and "missing: config.json" in text


def test_remote_servers_are_listed_and_one_that_does_not_answer_is_named(
    dsocr: Dsocr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_OCR_REMOTE_URLS", "http://127.0.0.1:9/v1")
    assert (
        "-- server     not used: set DEEPSEEK_OCR_ENGINE=remote"
        in dsocr("doctor", "--quick").out.decode()
    )

    monkeypatch.setenv("DEEPSEEK_OCR_ENGINE", "remote")
    ran = dsocr("doctor", "--quick")
    assert ran.status == 1
    assert "NO server     1: http://127.0.0.1:9: there is no connection" in ran.out.decode()
