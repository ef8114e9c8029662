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


def test_native_is_selected_with_weights_and_torch(tmp_path: Path) -> None:
    choice = select_engine(
        "auto", weights(tmp_path / "m"), hub_cache=tmp_path, installed=everything
    )

    assert (choice.name, choice.advice) == ("native", "")


def test_the_embedded_engine_is_selected_without_weights_and_advises_a_download(
    tmp_path: Path,
) -> None:
    choice = select_engine("auto", tmp_path, hub_cache=tmp_path, installed=everything)

    assert choice.name == "ppocr"
    assert "no DeepSeek-OCR weights" in choice.reason
    assert choice.better == "native"
    assert "dsocr download" in choice.advice and "pip install" not in choice.advice


def test_weights_without_torch_advise_an_installation(tmp_path: Path) -> None:
    choice = select_engine(
        "auto", weights(tmp_path / "m"), hub_cache=tmp_path, installed=all_but_torch
    )

    assert choice.name == "ppocr"
    assert choice.reason.endswith("not installed: torch")
    assert "dsocr[native]" in choice.advice


def test_incomplete_weights_are_reported(tmp_path: Path) -> None:
    folder = weights(tmp_path / "m", without="tokenizer.json")
    choice = select_engine("auto", folder, hub_cache=tmp_path, installed=all_but_torch)

    assert choice.name == "ppocr"
    assert choice.reason.endswith("incomplete: tokenizer.json")


@pytest.mark.parametrize("requested", ["native", "ppocr"])
def test_a_requested_engine_is_selected_without_any_check(tmp_path: Path, requested: str) -> None:
    choice = select_engine(requested, tmp_path, hub_cache=tmp_path, installed=all_but_torch)

    assert (choice.name, choice.reason) == (requested, f"{requested} was requested")


def test_a_former_name_selects_and_creates_the_engine_under_its_present_name(
    tmp_path: Path,
) -> None:
    choice = select_engine("rapidocr", tmp_path)

    assert (choice.name, choice.reason) == ("ppocr", "ppocr was requested")
    assert registry.create("rapidocr", PpocrConfig(threads=1)).info.name == "ppocr"
    assert registry.canonical_name("auto") == "auto"


def test_reason_and_advice_name_no_folder(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", weights(tmp_path / "m", without="config.json")):
        choice = select_engine("auto", folder, hub_cache=tmp_path, installed=all_but_torch)
        assert str(tmp_path) not in choice.reason + choice.advice


def test_an_engine_is_made_by_its_name_and_reads_nothing_yet() -> None:
    engine = registry.create("rapidocr", PpocrConfig(threads=1))

    assert engine.info.name == "ppocr"
