from pathlib import Path

import pytest

from dsocr.engines import registry
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.selection import select_engine


def weights(folder: Path, *, without: str = "") -> Path:
    folder.mkdir()
    for name in {"config.json", "tokenizer.json", "model.safetensors"} - {without}:
        (folder / name).write_text("{}")
    return folder


def everything(package: str) -> bool:
    return True


def all_but_torch(package: str) -> bool:
    return package != "torch"


def test_weights_and_torch_make_it_native(tmp_path: Path) -> None:
    choice = select_engine(
        "auto", weights(tmp_path / "m"), hub_cache=tmp_path, installed=everything
    )

    assert (choice.name, choice.advice) == ("native", "")


def test_without_weights_the_embedded_engine_reads_and_says_how_to_get_them(tmp_path: Path) -> None:
    choice = select_engine("auto", tmp_path, hub_cache=tmp_path, installed=everything)

    assert choice.name == "rapidocr"
    assert "no DeepSeek-OCR weights" in choice.reason
    assert "dsocr download" in choice.advice and "pip install" not in choice.advice


def test_weights_without_torch_say_what_to_install(tmp_path: Path) -> None:
    choice = select_engine(
        "auto", weights(tmp_path / "m"), hub_cache=tmp_path, installed=all_but_torch
    )

    assert choice.name == "rapidocr"
    assert choice.reason.endswith("not installed: torch")
    assert "dsocr[native]" in choice.advice


def test_half_fetched_weights_are_named_as_such(tmp_path: Path) -> None:
    folder = weights(tmp_path / "m", without="tokenizer.json")
    choice = select_engine("auto", folder, hub_cache=tmp_path, installed=all_but_torch)

    assert choice.name == "rapidocr"
    assert choice.reason.endswith("incomplete: tokenizer.json")


@pytest.mark.parametrize("wanted", ["native", "rapidocr"])
def test_what_was_asked_for_is_taken_whatever_is_there(tmp_path: Path, wanted: str) -> None:
    choice = select_engine(wanted, tmp_path, hub_cache=tmp_path, installed=all_but_torch)

    assert (choice.name, choice.reason) == (wanted, f"{wanted} was asked for")


def test_what_strangers_may_read_names_no_folder(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", weights(tmp_path / "m", without="config.json")):
        choice = select_engine("auto", folder, hub_cache=tmp_path, installed=all_but_torch)
        assert str(tmp_path) not in choice.reason + choice.advice


def test_an_engine_is_made_by_its_name_and_reads_nothing_yet() -> None:
    engine = registry.create("rapidocr", PpocrConfig(threads=1))

    assert engine.info.name == "rapidocr"
