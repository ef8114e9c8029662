import json
import os
from pathlib import Path

import pytest

from dsocr.engines.deepseek.weights import find_weights, missing_files

SHARD = "model-00001-of-000001.safetensors"


def checkpoint(folder: Path, *, without: str = "") -> Path:
    """Files with the right names; what is in them does not matter here."""
    folder.mkdir(parents=True, exist_ok=True)
    index = {"weight_map": {"lm_head.weight": SHARD}}
    files = {
        "config.json": "{}",
        "tokenizer.json": "{}",
        "model.safetensors.index.json": json.dumps(index),
        SHARD: "",
    }
    for name, text in files.items():
        if name != without:
            (folder / name).write_text(text)
    return folder


def snapshot(cache: Path, revision: str, *, without: str = "") -> Path:
    model = cache / "models--deepseek-ai--DeepSeek-OCR"
    return checkpoint(model / "snapshots" / revision, without=without)


def test_a_complete_model_folder_is_found(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    snapshot(tmp_path / "hub", "aaaa")

    assert find_weights(folder, hub_cache=tmp_path / "hub") == folder


def test_the_hub_cache_is_searched_when_the_folder_is_missing(tmp_path: Path) -> None:
    cached = snapshot(tmp_path / "hub", "aaaa")

    assert find_weights(tmp_path / "nothing", hub_cache=tmp_path / "hub") == cached
    assert find_weights(None, hub_cache=tmp_path / "hub") == cached


def test_a_folder_with_only_a_readme_does_not_hide_the_cache(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "README.md").write_text("weights go here")
    cached = snapshot(tmp_path / "hub", "aaaa")

    assert find_weights(tmp_path / "model", hub_cache=tmp_path / "hub") == cached


def test_the_snapshot_of_main_precedes_newer_ones(tmp_path: Path) -> None:
    main = snapshot(tmp_path / "hub", "aaaa")
    newer = snapshot(tmp_path / "hub", "bbbb")
    os.utime(main, (1, 1))
    assert find_weights(None, hub_cache=tmp_path / "hub") == newer

    refs = main.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("aaaa\n")
    assert find_weights(None, hub_cache=tmp_path / "hub") == main


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", SHARD])
def test_an_incomplete_checkpoint_does_not_count_and_lists_missing_files(
    tmp_path: Path, name: str
) -> None:
    folder = checkpoint(tmp_path / "model", without=name)

    assert find_weights(folder, hub_cache=tmp_path / "hub") is None
    assert missing_files(folder) == [name]


def test_one_safetensors_file_suffices_without_an_index(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model", without="model.safetensors.index.json")
    assert missing_files(folder) == []

    (folder / SHARD).unlink()
    assert missing_files(folder) == ["*.safetensors"]


def test_no_cache_means_no_weights(tmp_path: Path) -> None:
    assert find_weights(None, hub_cache=tmp_path / "nowhere") is None
