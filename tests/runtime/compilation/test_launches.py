"""The recorded launches are those of every step: of any number of rows, tokens and views."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dsocr.runtime.kernels.triton_compat import INSTALLED
from tests.runtime.recipe import GOLDENS

pytestmark = pytest.mark.skipif(not INSTALLED, reason="needs triton")
RELEASED = GOLDENS / "checkpoint-files"


@pytest.mark.parametrize(
    ("arch", "folder", "options"),
    [
        ("sm_90", RELEASED, ()),
        ("sm_86", RELEASED, ()),
        ("sm_90", RELEASED, ("fp8", "int8")),
        ("sm_75", GOLDENS / "tiny", ()),
    ],
)
def test_no_step_launches_a_kernel_that_is_not_compiled_ahead(
    arch: str, folder: Path, options: tuple[str, ...]
) -> None:
    command = [sys.executable, "-m", f"{__package__}.recorded", arch, str(folder), *options]
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    out = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert out.returncode == 0, out.stderr
    recorded = json.loads(out.stdout.splitlines()[-1])
    assert recorded["others"] == []
    assert len(recorded["launches"]) == 24
