"""`DEEPSEEK_OCR_MODELS`: how models are named, and what hosts they get."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.config import BadSetting, Settings
from dsocr.model_hosts import NamedModel, parse_models


def settings(**environment: str) -> Settings:
    return Settings.from_environment(
        {f"DEEPSEEK_OCR_{name.upper()}": value for name, value in environment.items()}
    )


def test_models_are_named_with_their_folders_and_devices() -> None:
    assert parse_models("v1=/models/one, v2=/models/a@b@cuda:0+cuda:1") == (
        NamedModel("v1", Path("/models/one")),
        NamedModel("v2", Path("/models/a@b"), "cuda:0,cuda:1"),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("/models/one", "name=folder"),
        ("v1=", "name=folder"),
        ("v 1=/a", "is no name"),
        ("x" * 40 + "=/a", "at most 32"),
        ("ppocr=/a", "name of an engine"),
        ("rapidocr=/a", "name of an engine"),
        ("auto=/a", "name of an engine"),
        ("v1=/a,V1=/b", "twice"),
        ("v1=/a@gpu", "no device 'gpu'"),
    ],
)
def test_a_list_of_models_that_is_wrong_says_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(BadSetting, match=problem) as raised:
        settings(models=text)
    assert raised.value.message.startswith("DEEPSEEK_OCR_MODELS: ")


def test_without_names_the_service_has_one_engine() -> None:
    config = settings().models_config()

    assert config.others is None and config.default_name == ""
    assert config.default.engine == "auto" and not config.default.only_model_path


def test_the_first_model_is_the_default_and_the_embedded_engine_is_beside_them() -> None:
    config = settings(models="v1=/m/1,v2=/m/2@cuda:1", device="cuda:0").models_config()

    assert config.default_name == "v1" and config.default.engine == "native"
    assert config.others is not None and list(config.others) == ["v2", "ppocr"]
    v1, v2 = config.default, config.others["v2"]
    assert (v1.model_path, v2.model_path) == (Path("/m/1"), Path("/m/2"))
    assert v1.engine_configs["native"].device == "cuda:0"
    assert v2.engine_configs["native"].device == "cuda:1"
    assert v2.only_model_path and config.others["ppocr"].engine == "ppocr"


def test_with_the_embedded_engine_as_default_all_models_are_further_ones() -> None:
    config = settings(models="v1=/m/1", engine="rapidocr").models_config()

    assert config.default.engine == "ppocr" and config.default_name == ""
    assert config.others is not None and list(config.others) == ["v1"]


def test_models_on_one_device_share_its_memory() -> None:
    config = settings(models="a=/1@cuda:0,b=/2@cuda:0,c=/3@cuda:1").models_config()

    assert config.others is not None
    hosts = [config.default, config.others["b"], config.others["c"]]
    assert [host.engine_configs["native"].memory_share for host in hosts] == [0.45, 0.45, 0.9]


def test_only_a_further_model_is_put_away() -> None:
    config = settings(models="a=/1,b=/2", model_idle_seconds="60").models_config()

    assert config.others is not None
    assert config.default.idle_seconds == 0 and config.others["b"].idle_seconds == 60
