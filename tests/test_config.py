from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from dsocr.config import (
    FIXED_NAMES,
    PARSERS,
    BadSetting,
    Settings,
    base_folder,
    checkout,
    variables,
)
from dsocr.engines.registry import ENGINES
from dsocr.runtime.models.deepseek_ocr_spec import VIEWS
from dsocr.types import NoRepeat


def test_documented_defaults() -> None:
    settings = Settings.from_environment({})
    root = checkout()

    assert root is not None
    assert settings.engine == "auto"
    assert settings.default_prompt == "<image>\n<|grounding|>Convert the document to markdown."
    assert settings.runs_dir == root / "web_project" / "backend" / "runs"
    assert settings.no_repeat_ngram == NoRepeat(30, 90)
    assert settings.runtime.model_path == root / "ocr_project" / "model"
    assert settings.runtime.attn_impl == "flash_attention_2"
    assert (settings.runtime.device, settings.runtime.dtype) == ("auto", "auto")
    assert settings.runtime.max_tiles is None and VIEWS.max_tiles == 9
    assert settings.server.max_image_mb == 15
    assert settings.server.allowed_origins == ("*",)
    assert settings.server.api_keys == ()


def test_fixed_names_set_their_fields(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {
            "DEEPSEEK_OCR_MODEL_PATH": str(tmp_path),
            "DEEPSEEK_ATTN_IMPL": "eager",
            "DEEPSEEK_ALLOWED_ORIGINS": "https://a.example, https://b.example",
            "DEEPSEEK_MAX_IMAGE_MB": "7.5",
            "DEEPSEEK_OCR_DEFAULT_PROMPT": r"<image>\nFree OCR.",
            "DEEPSEEK_OCR_RUNS_DIR": str(tmp_path / "runs"),
            "DEEPSEEK_OCR_ENGINE": "ppocr",
            "DEEPSEEK_OCR_DEVICE": "cuda:1",
            "DEEPSEEK_OCR_DTYPE": "float32",
            "DEEPSEEK_OCR_MAX_TILES": "6",
            "DEEPSEEK_OCR_NO_REPEAT_NGRAM": "35",
            "DEEPSEEK_OCR_API_KEYS": "one,two,",
        }
    )

    assert settings.runtime.model_path == tmp_path
    assert settings.runtime.attn_impl == "eager"
    assert settings.server.allowed_origins == ("https://a.example", "https://b.example")
    assert settings.server.max_image_mb == 7.5
    assert settings.default_prompt == "<image>\nFree OCR."
    assert settings.runs_dir == tmp_path / "runs"
    assert settings.engine == "ppocr"
    assert (settings.runtime.device, settings.runtime.dtype) == ("cuda:1", "float32")
    assert settings.runtime.max_tiles == 6
    assert settings.no_repeat_ngram == NoRepeat(35)
    assert settings.server.api_keys == ("one", "two")


def test_other_settings_are_named_by_section_and_field() -> None:
    settings = Settings.from_environment(
        {
            "DEEPSEEK_OCR_EMBEDDED__THREADS": "3",
            "DEEPSEEK_OCR_PAGES__WORKERS": "5",
            "DEEPSEEK_OCR_DEVICE": "cuda:0, cuda:2",
            "DEEPSEEK_OCR_RUNTIME__THREADS": "6",
            "DEEPSEEK_OCR_SERVER__MAX_PAGES": "7",
        }
    )

    assert settings.embedded.threads == 3
    assert settings.pages.workers == 5
    assert (settings.runtime.device, settings.runtime.threads) == ("cuda:0,cuda:2", 6)
    assert settings.server.max_pages == 7


def test_relative_paths_start_at_the_backend_folder() -> None:
    settings = Settings.from_environment({"DEEPSEEK_OCR_MODEL_PATH": "../../ocr_project/model"})

    assert settings.runtime.model_path is not None
    assert settings.runtime.model_path.resolve() == Settings.from_environment({}).runtime.model_path
    assert base_folder().name == "backend"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEEPSEEK_MAX_IMAGE_MB", "much"),
        ("DEEPSEEK_MAX_IMAGE_MB", "0"),
        ("DEEPSEEK_MAX_IMAGE_MB", "nan"),
        ("DEEPSEEK_ATTN_IMPL", "flash"),
        ("DEEPSEEK_OCR_ENGINE", "tesseract"),
        ("DEEPSEEK_OCR_DTYPE", "int8"),
        ("DEEPSEEK_OCR_DEVICE", "toaster"),
        ("DEEPSEEK_OCR_DEVICE", "cuda:1,cuda:1"),
        ("DEEPSEEK_OCR_DEVICE", ","),
        ("DEEPSEEK_OCR_MAX_TILES", "-1"),
        ("DEEPSEEK_OCR_NO_REPEAT_NGRAM", "90/30"),
        ("DEEPSEEK_OCR_NO_REPEAT_NGRAM", "often"),
        ("DEEPSEEK_OCR_SERVER__MAX_PAGES", "1.5"),
    ],
)
def test_an_invalid_value_is_one_line_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(BadSetting) as caught:
        Settings.from_environment({name: value})

    assert caught.value.message.startswith(f"{name}: ")
    assert "\n" not in caught.value.message


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.from_environment({"DEEPSEEK_MAX_IMAGE_MB": " "}).server.max_image_mb == 15


def test_a_mistyped_name_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Settings.from_environment(
            {"DEEPSEEK_MAX_IMAGE_MBS": "1", "DEEPSEEK_OCR_COLOUR": "red", "DEEPSEEK_API_KEY": "x"}
        )

    assert "did you mean DEEPSEEK_MAX_IMAGE_MB?" in caplog.text
    assert "DEEPSEEK_OCR_COLOUR" in caplog.text
    assert "DEEPSEEK_API_KEY" not in caplog.text  # another product's


def test_no_two_settings_share_a_name() -> None:
    names = [variable.name for variable in variables()]

    assert len(names) == len(set(names))


def test_names_and_parsers_belong_to_settings_that_exist() -> None:
    known = {(variable.section, variable.field) for variable in variables()}
    assert {*FIXED_NAMES, *PARSERS} <= known


def test_keys_are_not_in_the_repr() -> None:
    settings = Settings.from_environment({"DEEPSEEK_OCR_API_KEYS": "canary"})

    assert "canary" not in repr(settings)


def test_the_reference_lists_all_variables() -> None:
    root = checkout()
    assert root is not None
    script = root / "scripts" / "config_reference.py"
    written = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)

    assert (root / "docs" / "configuration.md").read_text("utf-8") == written.stdout
    assert all(f"`{variable.name}`" in written.stdout for variable in variables())


def test_each_engine_has_a_config() -> None:
    assert Settings().host_config().engine_configs.keys() == ENGINES.keys()
