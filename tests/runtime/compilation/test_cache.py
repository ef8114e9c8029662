"""Where compiled kernels are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.runtime.compilation.cache import VARIABLE, use_kernel_cache


def test_the_setting_stands_over_tritons_own_variable(tmp_path: Path) -> None:
    environment = {VARIABLE: str(tmp_path / "triton")}
    assert use_kernel_cache(tmp_path / "ours", environment) == tmp_path / "ours"
    assert environment[VARIABLE] == str(tmp_path / "ours")
    assert (tmp_path / "ours").is_dir()


def test_without_a_setting_tritons_variable_or_the_users_cache_folder_is_used(
    tmp_path: Path,
) -> None:
    assert use_kernel_cache(None, {VARIABLE: str(tmp_path / "triton")}) == tmp_path / "triton"
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    assert use_kernel_cache(None, environment) == tmp_path / "dsocr" / "kernels"
    assert environment[VARIABLE] == str(tmp_path / "dsocr" / "kernels")


def test_a_folder_that_cannot_be_made_is_replaced_by_a_temporary_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    folder = use_kernel_cache(tmp_path / "file" / "kernels", {})
    assert folder.is_dir() and not any(folder.iterdir())
    assert "DEEPSEEK_OCR_KERNEL_CACHE" in caplog.text
    folder.rmdir()
