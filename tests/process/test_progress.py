from __future__ import annotations

from typing import Any

import pytest

from dsocr.process.progress import ProgressReporter, StartProgress, progress_of
from tests.waiting import Clock


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (StartProgress("measuring memory"), "measuring memory"),
        (StartProgress("compiling kernels", 31, 52), "compiling kernels 31/52"),
        (StartProgress("loading weights", 300, 6672, "MB"), "loading weights 300/6672 MB"),
    ],
)
def test_progress_is_told_in_words(progress: StartProgress, text: str) -> None:
    assert progress.text == text


def test_a_stage_is_reported_at_its_ends_and_not_too_often_between() -> None:
    sent: list[Any] = []
    clock = Clock()
    reporter = ProgressReporter(sent.append, clock)
    for done in (0, 1, 2):
        reporter.report("compiling kernels", done, 9)
    clock.now += 1
    reporter.report("compiling kernels", 3, 9)
    reporter.report("compiling kernels", 9, 9)
    reporter.report("capturing graphs", 0, 2)
    assert [progress_of(frame).text for frame in sent] == [
        "compiling kernels 0/9",
        "compiling kernels 3/9",
        "compiling kernels 9/9",
        "capturing graphs 0/2",
    ]
