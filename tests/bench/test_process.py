"""Measuring through the engine's process, here on a CPU with the tiny checkpoint."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from bench.gpu import process
from bench.model import endless
from bench.texts.repetition import alarm
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.text.repetition import RepetitionDetector, token_kinds
from dsocr.types import PageImage
from tests.runtime.goldens import genuine_tokenizer
from tests.runtime.recipe import write_tiny_checkpoint


def test_no_watch_and_no_token_ends_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RepetitionDetector, "push", RepetitionDetector.push)  # put back afterwards
    (tmp_path / "tokenizer.json").write_bytes(genuine_tokenizer())
    tokenizer = endless.endless_tokenizer(tmp_path)
    looping, kinds = [7] * 2000, token_kinds(tokenizer)
    assert alarm(kinds, looping) is not None

    endless.ignore_repetition()

    assert alarm(kinds, looping) is None
    assert tokenizer.special.eos < 0


@pytest.mark.slow
def test_pages_write_what_they_may_and_no_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(process, "MODES", ("tiny",))
    monkeypatch.setattr(process, "ALONE_TOKENS", 3)
    monkeypatch.setattr(process, "QUIET_SECONDS", 0)
    folder = write_tiny_checkpoint(tmp_path)
    (folder / "tokenizer.json").write_bytes(genuine_tokenizer())
    config = RuntimeConfig(model_path=folder, device="cpu")
    page = PageImage(0, Image.new("RGB", (40, 60), "white"), 40, 60)
    bench = SimpleNamespace(plan=SimpleNamespace(max_num_seqs=2), num_tokens=20)

    alone, many, ahead = asyncio.run(process._through_engine(config, [page], bench))

    assert (alone["in flight"], alone["pages"]) == (1, 5)
    assert (many["in flight"], many["pages"]) == (2, 4)
    assert (ahead["in flight"], ahead["pages"]) == (6, 4)
    rate, seconds = many["tokens/s"], many["seconds"]  # rounded to a whole number, and to 0.01
    rounding = 0.5 * seconds + 0.005 * rate
    assert rate * seconds == pytest.approx(4 * 20, abs=rounding)
    assert 0 < many["first text s"] < many["a page s"] <= many["seconds"]
