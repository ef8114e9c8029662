"""`dsocr doctor --model`: what is said of a folder of weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Dsocr
from tests.runtime.goldens import write_reading_checkpoint

pytest.importorskip("torch")


def test_a_complete_weights_folder_passes(dsocr: Dsocr, tmp_path: Path) -> None:
    folder = write_reading_checkpoint(tmp_path / "model")
    ran = dsocr("doctor", "--quick", "--model", str(folder))
    words = ran.out.decode()
    assert ran.status == 0, words
    for line in ("ok tensors    180 in 1 files", "ok tokenizer  the released", "ok pixels"):
        assert line in words


def test_a_broken_weights_folder_fails_and_is_named(dsocr: Dsocr, tmp_path: Path) -> None:
    folder = write_reading_checkpoint(tmp_path / "model")
    (folder / "tokenizer.json").write_text("{}")
    ran = dsocr("doctor", "--model", str(folder))
    words = ran.out.decode()
    assert ran.status == 1
    assert "NO tokenizer" in words and "tokenizer.json cannot be read" in words
    assert not any(line[3:].startswith("trial ") for line in words.splitlines())
