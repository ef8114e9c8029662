"""The recorded launches are those of every step: of any number of rows, tokens and views."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from dsocr.runtime.kernels.triton_compat import INSTALLED
from tests.runtime.recipe import GOLDENS

pytestmark = pytest.mark.skipif(not INSTALLED, reason="needs triton")
RELEASED = GOLDENS / "checkpoint-files"


CONFIGURATIONS = [
    ("sm_90", RELEASED, "auto", "auto", "off"),
    ("sm_86", RELEASED, "auto", "auto", "off"),
    ("sm_90", RELEASED, "fp8", "int8", "off"),
    ("sm_75", GOLDENS / "tiny", "auto", "auto", "off"),
    ("sm_90", RELEASED, "auto", "auto", "fast"),
]


@pytest.fixture(scope="module")
def recorded() -> Any:
    """What each launches, by a process without Triton's interpreter."""
    asked = json.dumps([[str(part) for part in one] for one in CONFIGURATIONS])
    command = [sys.executable, "-m", f"{__package__}.recorded", asked]
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    out = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "number",
    range(len(CONFIGURATIONS)),
    ids=[
        f"{arch}-{folder.name}-{cache}-{experts}-{drafts}"
        for arch, folder, cache, experts, drafts in CONFIGURATIONS
    ],
)
def test_no_step_launches_a_kernel_that_is_not_compiled_ahead(recorded: Any, number: int) -> None:
    assert recorded[number]["others"] == []
    with_drafts = CONFIGURATIONS[number][-1] == "fast"
    assert len(recorded[number]["launches"]) == (28 if with_drafts else 24)
