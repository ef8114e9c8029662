"""The tiny model's reference values, read once."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from tests.runtime.recipe import GOLDENS


@cache
def golden(name: str) -> Any:
    """A JSON file of the tiny model: vision, decoder, e2e, bf16_deviation."""
    return json.loads((GOLDENS / "tiny" / f"{name}.json").read_text("utf-8"))


@cache
def golden_tensors(name: str) -> dict[str, Tensor]:
    return load_file(GOLDENS / "tiny" / f"{name}.safetensors")
