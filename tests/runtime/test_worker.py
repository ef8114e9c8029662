"""The worker's frames: events share frames, starts are sent at once, heartbeats during work."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image

from dsocr.process.packing import unpack_counts, unpack_floats
from dsocr.runtime import worker
from dsocr.runtime.devices import device_memory
from dsocr.runtime.event_sender import EventSender
from dsocr.runtime.events import Done, Failed, RuntimeLoad, Started, Text
from dsocr.runtime.kernels.triton_compat import KernelError


class FakeChannel:
    """A channel that keeps the frames."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    def send(self, frame: dict[str, Any]) -> None:
        self.frames.append(frame)


class Busy:
    """A runtime whose pages have this text when it is taken."""

    load = RuntimeLoad(
        running=3,
        waiting=5,
        cache_used=0.5,
        preemptions=1,
        out_of_memory=2,
        drafted=8,
        accepted=6,
        steps=4,
        step_tokens=20,
    )

    def __init__(self, *texts: Text) -> None:
        self._texts = list(texts)

    def take_text(self) -> list[Text]:
        texts, self._texts = self._texts, []
        return texts


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(worker.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def event_sender(*texts: Text) -> tuple[EventSender, FakeChannel]:
    channel, runtime = FakeChannel(), Busy(*texts)
    return EventSender(channel, runtime), channel  # type: ignore[arg-type]


def test_texts_of_many_steps_and_pages_share_a_frame(clock: Clock) -> None:
    sender, channel = event_sender(Text(1, "abcd"), Text(3, "ABC"))
    for _ in range(3):
        sender.put([])
    sender.put([Text(2, "last"), Failed(2, "engine_crash", "why")])
    assert channel.frames == []

    clock.now += 0.03
    sender.put([])
    clock.now += 0.03
    sender.put([])

    [frame] = channel.frames
    assert frame == {
        "kind": "events",
        "events": [
            {"kind": "text", "id": 2, "text": "last"},
            {"kind": "failed", "id": 2, "code": "engine_crash", "message": "why"},
        ],
        "texts": [(1, "abcd"), (3, "ABC")],
    }


def test_text_is_sent_without_an_event(clock: Clock) -> None:
    sender, channel = event_sender(Text(1, "a"))
    clock.now += 0.03
    sender.put([])
    assert [frame["texts"] for frame in channel.frames] == [[(1, "a")]]


def test_a_started_event_is_sent_at_once(clock: Clock) -> None:
    sender, channel = event_sender(Text(1, "a"))
    sender.put([Text(3, "b")])
    sender.put([Started(2)])
    assert [one["kind"] for one in channel.frames[0]["events"]] == ["text", "started"]
    assert channel.frames[0]["texts"] == [(1, "a")]


def test_the_text_of_a_page_precedes_its_done_event(clock: Clock) -> None:
    sender, channel = event_sender()
    sender.put([Text(1, "ab"), Done(1, "stop", 5, 2, [7, 8], [-0.12345, -0.1], [1, 2])])
    sender.flush()
    text, done = channel.frames[0]["events"]
    assert text["text"] == "ab"
    assert unpack_floats(done["logprobs"]) == [-0.1235, -0.1]
    assert unpack_counts(done["text_ends"]) == [1, 2]


def test_pixels_become_an_image_where_the_page_is_prepared() -> None:
    """Not in the loop, which would keep the device waiting."""
    header = {
        "id": 3,
        "size": [2, 1],
        "prompt": "<image>",
        "mode": "small",
        "max_tokens": None,
        "temperature": 0.0,
        "top_p": 1.0,
        "no_repeat": None,
        "text_layer": ["a line", "another"],
    }
    good = worker._request(header, bytearray([1, 2, 3, 4, 5, 6]))
    assert not isinstance(good.image, Image.Image)
    assert good.text_layer == ("a line", "another")
    assert [good.image().getpixel((x, 0)) for x in (0, 1)] == [(1, 2, 3), (4, 5, 6)]
    short = worker._request(header, bytearray(5))
    with pytest.raises(ValueError, match="not enough image data"):
        short.image()


def test_a_heartbeat_a_second_reports_the_load(clock: Clock) -> None:
    sender, channel = event_sender()
    for _ in range(30):
        clock.now += 0.1
        sender.heartbeat()
    assert len(channel.frames) in (2, 3)  # tenths of a second do not add up exactly
    assert channel.frames[0] == {
        "kind": "heartbeat",
        "running": 3,
        "waiting": 5,
        "cache_used": 0.5,
        "preemptions": 1,
        "out_of_memory": 2,
        "drafted": 8,
        "accepted": 6,
        "steps": 4,
        "step_tokens": 20,
    }


def test_a_heartbeat_reports_the_memory_of_a_gpu(clock: Clock) -> None:
    channel = FakeChannel()
    memory = {"gpu_bytes": 1, "gpu_total_bytes": 2}
    sender = EventSender(channel, Busy(), lambda: memory)  # type: ignore[arg-type]
    clock.now += 1
    sender.heartbeat()
    assert memory.items() <= channel.frames[0].items()
    assert device_memory(torch.device("cpu")) == {}


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (KernelError("out of resource: shared memory, Required: 115200"), "KERNELS=false"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 115200 bytes."), "int8"),
    ],
)
def test_an_error_at_the_start_says_which_setting_avoids_it(
    error: Exception, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(worker, "_load", load)
    channel = FakeChannel()
    worker.main(channel, {})  # type: ignore[arg-type]

    [frame] = channel.frames
    assert (frame["kind"], frame["code"]) == ("unusable", "engine_unavailable")
    assert advice in frame["message"] and "115200" in frame["message"]
