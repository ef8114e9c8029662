"""Comparing one worker with two, here on a CPU with the tiny checkpoint."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from PIL import Image

from bench import devices
from dsocr.runtime.config import RuntimeConfig
from dsocr.types import PageImage
from tests.runtime.goldens import write_reading_checkpoint


@pytest.mark.slow
def test_every_page_is_read_by_the_workers_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "QUIET_SECONDS", 0)
    model = write_reading_checkpoint(tmp_path)
    config = RuntimeConfig(model_path=model, device="cpu,cpu", max_num_seqs=2)
    page = PageImage(0, Image.new("RGB", (40, 60), "white"), 40, 60)

    (line,) = asyncio.run(devices.measure_devices(config, [page], ["tiny"], 3))

    assert (line["mode"], line["workers"], line["in flight"], line["pages"]) == ("tiny", 2, 8, 24)
    assert line["pages/s"] > 0 and line["first ready s"] <= line["all ready s"]


def test_ratios_are_to_the_first_line_of_the_mode() -> None:
    lines = [{"mode": "base", "pages/s": 4.0}, {"mode": "tiny", "pages/s": 5.0}]
    lines += [{"mode": "base", "pages/s": 7.8}, {"mode": "tiny", "pages/s": 10.0}]
    assert [line["times one"] for line in devices.compared(lines)] == [1.0, 1.0, 1.95, 2.0]
