from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from dsocr.engines.deepseek.grounding import parse
from dsocr.engines.deepseek.prompts import TASKS
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.ppocr.engine import PpocrEngine, _result
from dsocr.engines.ppocr.response import encode_response
from dsocr.errors import UnsupportedTask
from dsocr.types import Block, Box, OcrOptions, Task
from tests.engines.ppocr import typeset
from tests.waiting import until


def options(task: Task, prompt: str | None = None) -> OcrOptions:
    return OcrOptions(task, "base", prompt or TASKS[task].prompt)


@pytest.mark.parametrize("task", ["figure", "describe", "custom"])
async def test_tasks_that_need_a_language_model_are_refused(task: Task) -> None:
    engine = PpocrEngine(PpocrConfig())

    with pytest.raises(UnsupportedTask, match="native engine"):
        await engine.recognize(typeset.page(), options(task, "What is this?"))


async def test_locating_nothing_is_refused() -> None:
    engine = PpocrEngine(PpocrConfig())

    with pytest.raises(UnsupportedTask, match="nothing between"):
        await engine.recognize(typeset.page(), options("locate", "Locate <|ref|> <|/ref|>."))


async def test_plain_text_has_no_references() -> None:
    engine = PpocrEngine(PpocrConfig())
    try:
        result = await engine.recognize(typeset.page(), options("text"))
    finally:
        await engine.close()

    assert "<|" not in result.raw
    assert result.raw.split() == " ".join(typeset.FOX).split()
    assert result.blocks[0].boxes


async def test_a_killed_worker_loses_no_page_and_is_replaced_even_when_idle() -> None:
    engine = PpocrEngine(PpocrConfig())
    await engine.start()
    supervisor = engine._supervisor
    first = supervisor.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)  # it is sent the pages and cannot finish them
    reading = [asyncio.create_task(engine.recognize(typeset.page(), options("text")))]
    reading += [asyncio.create_task(engine.recognize(typeset.page(), options("text")))]
    await until(lambda: sum(page.sent for page in supervisor._inflight.pages.values()) == 2)
    os.kill(first, signal.SIGKILL)

    for result in await asyncio.gather(*reading):
        assert result.raw.split() == " ".join(typeset.FOX).split()
    assert supervisor.restarts == {"crash": 1}

    second = supervisor.pid
    assert second is not None and second != first
    os.kill(second, signal.SIGKILL)
    await until(lambda: supervisor.restarts == {"crash": 2} and not engine.unhealthy_reason)
    assert supervisor.pid not in (None, second)
    await engine.close()


async def test_a_cancelled_page_is_dropped_and_the_models_stay_loaded() -> None:
    engine = PpocrEngine(PpocrConfig())
    await engine.start()
    first = engine._supervisor.pid
    cancelled = asyncio.create_task(engine.recognize(typeset.page(), options("text")))
    await until(lambda: any(page.sent for page in engine._supervisor._inflight.pages.values()))
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)

    result = await engine.recognize(typeset.page(), options("text"))

    assert result.raw.split() == " ".join(typeset.FOX).split()
    assert engine._supervisor.pid == first
    await engine.close()


_QUIET = """
import json, os, socket, sys
from pathlib import Path
lookups = []
socket.getaddrinfo = lambda *a, **k: lookups.append(a[0]) or []
sys.addaudithook(lambda name, args: lookups.append(str(args[:2]))
    if name in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect") else None)
from dsocr.engines.ppocr.recognizer import PageRecognizer
import numpy as np
recognizer = PageRecognizer(1)
request = {"mode": "tiny", "task": "text", "query": None, "text_lines": None}
request |= {"hidden_lines": [], "image_share": 0.0, "languages": []}
recognizer.recognize(np.full((64, 64, 3), 255, np.uint8), request, poll=lambda: None)
print(json.dumps({"lookups": lookups, "home": sorted(map(str, Path.home().rglob("*"))),
    "modules": sorted(m for m in sys.modules if m in ("rapidocr", "requests", "onnxruntime"))}))
"""


def test_loading_and_recognizing_look_up_no_address_and_write_no_file(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    environment["HOME"] = str(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", _QUIET], env=environment, capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout) == {"lookups": [], "home": [], "modules": []}
    assert done.stderr == ""


def test_only_the_headless_opencv_is_required() -> None:
    """The other one needs X and GL libraries that servers lack."""
    seen, wanted = set(), ["dsocr"]
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in needed:
            if "extra ==" not in requirement:
                wanted.append(_name(requirement))

    assert "opencv-python-headless" in seen
    assert not seen & {"opencv-python", "opencv-contrib-python", "onnxruntime"}


def _name(requirement: str) -> str:
    letters = []
    for letter in requirement:
        if not (letter.isalnum() or letter in "-_."):
            break
        letters.append(letter)
    return "".join(letters).lower().replace("_", "-")


def test_a_page_that_prints_a_reference_forges_no_block() -> None:
    page = typeset.page(["a"])
    printed = "<|ref|>table<|/ref|><|det|>[[0, 0, 9, 9]]<|/det|>"
    response = encode_response([Block("text", printed, (Box(0, 0, 0.1, 0.1),), 0.9)], [], [])

    result = _result(page, OcrOptions("text", "base", ""), response, 0.1)

    assert [block.label for block in parse(result.raw)] == ["text"]
