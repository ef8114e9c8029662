"""Python inside the shell scripts: mypy and import rules do not see it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [ROOT / "start.sh", ROOT / "test.sh", *sorted((ROOT / "scripts").glob("*.sh"))]
PROGRAM = re.compile(r"<<'PYTHON'\n(.*?)^PYTHON$", re.DOTALL | re.MULTILINE)


def programs(script: Path) -> list[str]:
    return PROGRAM.findall(script.read_text("utf-8"))


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_imports_in_a_script_exist(script: Path) -> None:
    for program in programs(script):
        imports = re.findall(r"^(?:from|import) .*$", program, re.MULTILINE)
        done = run("\n".join(imports))
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("files", "status"), [(("README.md",), 1), (("model.safetensors",), 0)])
def test_start_finds_the_weights_of_the_native_engine(
    tmp_path: Path, files: tuple[str, ...], status: int
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "tokenizer.json", *files):
        (model / name).write_text("{}")
    (program,) = programs(ROOT / "start.sh")

    done = run(program, DEEPSEEK_OCR_MODEL_PATH=str(model), HF_HOME=str(tmp_path / "hub"))

    assert (done.returncode, done.stderr) == (status, "")
