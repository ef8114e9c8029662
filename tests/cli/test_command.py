import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dsocr import __version__
from dsocr.engines import registry
from dsocr.engines.selection import EngineSelection
from dsocr.errors import EngineUnavailable
from tests.cli.conftest import Dsocr
from tests.cli.stand_in_hub import StandInHub, serving
from tests.fakes import FakeEngine, png
from tests.waiting import DEADLINE_SECONDS, wait_until

FAKE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
import sys
from dsocr.engines import registry
from tests.fakes import FakeEngine
registry.create = lambda name, config: FakeEngine(max_concurrency=2)
from dsocr.cli import main
main()
"""
"""The command in a process of its own, with the engine that obeys."""


def spawn(*arguments: object, **streams: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", FAKE, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "DEEPSEEK_OCR_ENGINE": "ppocr"},
        stderr=subprocess.PIPE,
        **streams,
    )


def test_the_command_loads_nothing_heavy_before_it_is_needed() -> None:
    heavy = {"torch", "openvino", "rapidocr", "fastapi", "uvicorn", "cv2", "huggingface_hub"}
    code = "import sys, dsocr.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert heavy.isdisjoint(loaded.stdout.split())
    assert "dsocr.cli" in loaded.stdout


def test_the_version_is_said(dsocr: Dsocr) -> None:
    assert dsocr("--version").out.decode() == f"dsocr {__version__}\n"


def test_a_command_that_is_not_there_is_a_usage_error(dsocr: Dsocr) -> None:
    assert dsocr("raed").status == 2


def test_a_setting_that_makes_no_sense_is_one_line(
    dsocr: Dsocr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_OCR_ENGINE", "tesseract")
    ran = dsocr("read", "a.png")
    assert ran.status == 1
    assert ran.err.count("\n") == 1
    assert "DEEPSEEK_OCR_ENGINE" in ran.err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_reading_leaves_whole_files_alone(tmp_path: Path, how: int) -> None:
    scans, texts = tmp_path / "scans", tmp_path / "texts"
    scans.mkdir()
    (scans / "1.png").write_bytes(png(["done"]))
    (scans / "2.png").write_bytes(png(["@hang"]))
    command = spawn("read", scans, "-o", texts)
    wait_until((texts / "1.md").exists)
    command.send_signal(how)
    _, err = command.communicate(timeout=DEADLINE_SECONDS)
    assert command.returncode == 130
    assert b"Traceback" not in err
    assert [path.name for path in texts.iterdir()] == ["1.md"]


def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(["@slow=0.3", "x" * 5000]))
    command = spawn("read", "-q", tmp_path, stdout=subprocess.PIPE)
    assert command.stdout is not None
    command.stdout.read(1)
    command.stdout.close()
    assert command.stderr is not None
    with command.stderr:
        assert command.stderr.read() == b""
    command.wait(DEADLINE_SECONDS)


def test_weights_are_downloaded_into_the_folder_of_the_settings(
    tmp_path: Path, dsocr: Dsocr, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"1" * 1000}
    with serving(StandInHub(files)) as hub:
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"),
            "DEEPSEEK_OCR_MODEL_PATH": str(tmp_path / "model"),
        }
        command = [sys.executable, "-m", "dsocr", "download"]
        first = subprocess.run(command, env=environment, capture_output=True, text=True)
        again = subprocess.run(command, env=environment, capture_output=True, text=True)
        hub.token = "secret"
        refused = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert {path.name for path in (tmp_path / "model").iterdir()} == set(files)
    assert "3 files fetched, 0 already there" in first.stderr
    assert "0 files fetched, 3 already there" in again.stderr
    assert refused.returncode == 1
    assert "HF_TOKEN" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_embedded_engine_steps_in_for_one_that_does_not_start(
    dsocr: Dsocr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(FakeEngine):
        async def start(self) -> None:
            raise EngineUnavailable("no such device")

    choice = EngineSelection("native", "the weights are there")
    monkeypatch.setattr("dsocr.host.select_engine", lambda wanted, path: choice)
    monkeypatch.setattr(
        registry, "create", lambda name, config: Broken() if name == "native" else FakeEngine()
    )
    (tmp_path / "a.png").write_bytes(png(["read all the same"]))
    ran = dsocr("read", tmp_path / "a.png")
    assert (ran.status, ran.out) == (0, b"read all the same\n")
    assert "native did not start: no such device" in ran.err
    assert dsocr("read", tmp_path / "a.png", "--engine", "native").status == 1
