"""The bench of host work: its stand-in for the device, and how it takes time."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import pytest
from PIL import Image

from bench import stand_in
from bench.model.full_size import write_small_files
from bench.stand_in import timed
from dsocr.runtime.events import Done, Text
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.sequence import SamplingParams


def test_a_section_does_not_count_the_sections_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 1.0, 3.0, 10.0])
    monkeypatch.setattr(time, "thread_time", lambda: next(moments))
    clock: dict[str, float] = defaultdict(float)

    with timed("outer", clock), timed("inner", clock):
        pass

    assert clock == {"outer": 8.0, "inner": 2.0}


def test_pages_of_the_stand_in_write_as_many_tokens_as_they_may(tmp_path: Path) -> None:
    write_small_files(tmp_path)
    runtime = stand_in.make_runtime(tmp_path, {"slots": 2, "alike": False, "seconds": 0})
    for number in (1, 2, 3):
        params = SamplingParams(max_tokens=5 + number)
        image = Image.new("RGB", (40, 60))
        runtime.submit(Request(number, image, "<image>\nFree OCR.", "tiny", params))
    events = []
    while runtime.has_work:
        events += runtime.step()

    done = {event.request_id: event for event in events if isinstance(event, Done)}
    assert {number: len(one.output_ids) for number, one in done.items()} == {1: 6, 2: 7, 3: 8}
    for number, one in done.items():
        text = "".join(
            event.text for event in events if isinstance(event, Text) and event.request_id == number
        )
        assert text and one.text_ends[-1] == len(text)
