from __future__ import annotations

import pytest

from dsocr.runtime.device_list import parse_devices


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("auto", ("auto",)),
        (" all ", ("all",)),
        ("cuda", ("cuda",)),
        ("cuda:0, cuda:2,", ("cuda:0", "cuda:2")),
        ("cpu,cpu", ("cpu", "cpu")),
        ("mps", ("mps",)),
    ],
)
def test_devices_are_separated_by_commas(text: str, devices: tuple[str, ...]) -> None:
    assert parse_devices(text) == devices


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" , ", "it names no device; use auto"),
        ("toaster", "there is no device 'toaster'; use auto"),
        ("cuda:", "there is no device 'cuda:'"),
        ("cuda:one", "there is no device 'cuda:one'"),
        ("cpu:1", "there is no device 'cpu:1'"),
        ("cuda:1,cuda:01", "it names cuda:1 twice"),
        ("cuda,cuda:0", "it names cuda:0 twice"),
        ("mps,mps", "it names mps twice"),
        ("cuda:0,all", "all stands alone"),
        ("auto,auto", "auto stands alone"),
        ("cuda:0,cpu", "devices of several kinds"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_devices(text)
