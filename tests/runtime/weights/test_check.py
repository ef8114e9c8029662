from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsocr.runtime.models.deepseek_ocr_spec import RELEASED
from dsocr.runtime.weights.check import check_folder, pixels_digest
from tests.runtime.goldens import genuine_tokenizer, write_reading_checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_reading_checkpoint(tmp_path)


def states(folder: Path) -> dict[str, str]:
    return {one.name: one.state for one in check_folder(folder)}


def detail(folder: Path, name: str) -> str:
    return next(one.detail for one in check_folder(folder) if one.name == name)


def test_a_complete_checkpoint_passes(folder: Path) -> None:
    assert states(folder) == {"tensors": "ok", "tokenizer": "ok", "pixels": "ok"}
    assert "180 in 1 files, BF16" in detail(folder, "tensors")
    assert detail(folder, "tokenizer") == "the released file"


def test_this_pillow_makes_known_pixels() -> None:
    assert pixels_digest(RELEASED) in RELEASED.views_sha256.values()


def test_a_checkpoint_of_another_shape_is_named(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    assert states(folder)["tensors"] == "bad"
    assert "model.layers.3." in detail(folder, "tensors")


def test_a_re_saved_tokenizer_with_the_same_ids_passes(folder: Path) -> None:
    data = json.loads(genuine_tokenizer())
    (folder / "tokenizer.json").write_text(json.dumps(data, indent=1))
    assert states(folder)["tokenizer"] == "ok"
    assert "same ids" in detail(folder, "tokenizer")


def test_a_tokenizer_with_other_ids_gets_a_note(folder: Path) -> None:
    data = json.loads(genuine_tokenizer())
    data["added_tokens"] = [t for t in data["added_tokens"] if not 128000 <= t["id"] < 128100]
    (folder / "tokenizer.json").write_text(json.dumps(data))
    assert states(folder)["tokenizer"] == "note"


def test_every_missing_file_of_an_empty_folder_is_named(tmp_path: Path) -> None:
    assert "config.json is missing" in detail(tmp_path, "tensors")
    assert "tokenizer.json is missing" in detail(tmp_path, "tokenizer")
