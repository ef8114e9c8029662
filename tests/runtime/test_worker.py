"""The worker's frames: news gathered, starts told at once, beats while it works."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image

from dsocr.runtime import worker
from dsocr.runtime.kernels.triton_compat import KernelError
from dsocr.runtime.loop import Done, Failed, Load, Started, Text
from dsocr.runtime.worker import Outbox


class Listener:
    """A channel that remembers."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    def send(self, frame: dict[str, Any]) -> None:
        self.frames.append(frame)


class Busy:
    load = Load(running=3, waiting=5, cache_used=0.5, preemptions=1, out_of_memory=2)


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(worker.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def outbox() -> tuple[Outbox, Listener]:
    listener = Listener()
    channel, runtime = listener, Busy()
    return Outbox(channel, runtime), listener  # type: ignore[arg-type]


def test_texts_of_many_steps_and_pages_share_a_frame(clock: Clock) -> None:
    box, heard = outbox()
    for word in ("a", "b", "c"):
        box.put([Text(1, word), Text(2, word.upper())])
    assert heard.frames == []

    clock.now += 0.03
    box.put([Text(1, "d"), Failed(2, "engine_crash", "why")])

    [frame] = heard.frames
    assert frame == {
        "kind": "events",
        "events": [
            {"kind": "text", "id": 1, "text": "abcd"},
            {"kind": "text", "id": 2, "text": "ABC"},
            {"kind": "failed", "id": 2, "code": "engine_crash", "message": "why"},
        ],
    }


def test_a_start_is_told_at_once(clock: Clock) -> None:
    box, heard = outbox()
    box.put([Text(1, "a")])
    box.put([Started(2)])
    assert [one["kind"] for one in heard.frames[0]["events"]] == ["text", "started"]


def test_the_text_of_a_page_stands_before_its_end(clock: Clock) -> None:
    box, heard = outbox()
    box.put([Text(1, "a")])
    box.put([Text(1, "b"), Done(1, "stop", 5, 2, [7, 8], [-0.12345, -0.1], [1, 2])])
    box.flush()
    text, done = heard.frames[0]["events"]
    assert text["text"] == "ab"
    assert done["logprobs"] == [-0.1235, -0.1] and done["text_ends"] == [1, 2]


def test_pixels_become_an_image_where_the_page_is_prepared() -> None:
    """Not in the loop that keeps the device busy, which would stand still for it."""
    question = {
        "id": 3,
        "size": [2, 1],
        "prompt": "<image>",
        "resolution": [640, 640, False],
        "max_tokens": None,
        "temperature": 0.0,
        "top_p": 1.0,
        "no_repeat": None,
    }
    good = worker._request(question, bytearray([1, 2, 3, 4, 5, 6]))
    assert not isinstance(good.image, Image.Image)
    assert [good.image().getpixel((x, 0)) for x in (0, 1)] == [(1, 2, 3), (4, 5, 6)]
    short = worker._request(question, bytearray(5))
    with pytest.raises(ValueError, match="not enough image data"):
        short.image()


def test_a_beat_a_second_says_how_full_it_is(clock: Clock) -> None:
    box, heard = outbox()
    for _ in range(30):
        clock.now += 0.1
        box.beat()
    assert len(heard.frames) in (2, 3)  # tenths of a second do not add up exactly
    assert heard.frames[0] == {
        "kind": "heartbeat",
        "running": 3,
        "waiting": 5,
        "cache_used": 0.5,
        "preemptions": 1,
        "out_of_memory": 2,
    }


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KernelError("out of resource: shared memory, Required: 115200"), "KERNELS=false"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 115200 bytes."), "int8"),
    ],
)
def test_what_cannot_run_on_a_card_is_told_with_the_way_around_it(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(worker, "_load", load)
    heard = Listener()
    worker.main(heard, {})  # type: ignore[arg-type]

    [frame] = heard.frames
    assert (frame["kind"], frame["code"]) == ("unusable", "engine_unavailable")
    assert told in frame["message"] and "115200" in frame["message"]
