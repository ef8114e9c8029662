"""A worker process without a model: it answers each page at once.

`dsocr.runtime.worker` with its frames, threads and limits, and a runtime that computes nothing.
What is measured with it is everything around the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dsocr.process.child import Channel, Header
from dsocr.runtime import worker
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.events import Done, Event, RuntimeLoad, Started, Text
from dsocr.runtime.execution.memory_plan import MemoryPlan
from dsocr.runtime.scheduling.inputs import Request

MAX_NUM_SEQS = 256
"""As many as an H200 runs at once."""
WORDS = "Every page of the stand-in engine has the same text. "
CHARACTERS = 3
"""Of a token."""


def main(channel: Channel, arguments: Header) -> None:
    """The engine's process."""
    vars(worker)["start_loading"] = lambda *_, **__: (StandInModel(), StandInTransfer())
    vars(worker)["Tokenizer"] = Path
    vars(worker)["make_runtime"] = make_runtime
    worker.main(channel, arguments)


class StandInTransfer:
    """No weights are on their way to a device."""

    def wait(self, on_progress: object) -> None:
        return


class StandInModel:
    """What the worker asks of a model beside its runtime."""

    attention = "none"

    def progress_modules(self) -> list[torch.nn.Module]:
        return []


def make_runtime(
    model: object,
    tokenizer: object,
    config: RuntimeConfig,
    *,
    mark: Callable[[str], None],
    report: object,
) -> tuple[StandInRuntime, MemoryPlan]:
    return StandInRuntime(), MemoryPlan(MAX_NUM_SEQS, 0, torch.bfloat16, 8192, None)


class StandInRuntime:
    """Answers the pages of a step with as many tokens as they may have."""

    def __init__(self) -> None:
        self._requests: list[Request] = []

    @property
    def has_work(self) -> bool:
        return bool(self._requests)

    @property
    def load(self) -> RuntimeLoad:
        return RuntimeLoad(len(self._requests), 0, 0.0, 0, 0)

    def submit(self, request: Request) -> None:
        self._requests.append(request)

    def cancel(self, request_id: int) -> None:
        self._requests = [one for one in self._requests if one.request_id != request_id]

    def run_idle_work(self) -> bool:
        return False

    def take_text(self) -> list[Text]:
        """Nothing: a page's text is among the events of `advance`."""
        return []

    def advance(self) -> list[Event]:
        requests, self._requests = self._requests, []
        return [event for request in requests for event in _answer(request)]


def _answer(request: Request) -> list[Event]:
    image: Any = request.image
    picture: Image.Image = image() if callable(image) else image
    assert picture.width > 0
    count = request.params.max_tokens or 1
    text = (WORDS * (1 + CHARACTERS * count // len(WORDS)))[: CHARACTERS * count]
    ends = [CHARACTERS * (place + 1) for place in range(count)]
    number = request.request_id
    done = Done(number, "length", 10, 903, [0] * count, [-0.1] * count, ends)
    return [Started(number), Text(number, text), done]
