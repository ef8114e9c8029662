"""The synthetic checkpoint: every tensor a pure function of its name and shape (spec 11).

SplitMix64 over a counter, four 16-bit lanes a number, scaled and rounded to bfloat16. Written with
torch's wrapping int64 arithmetic so that it runs on a GPU as well, where the full 3.34 billion
parameters take seconds.
"""

from __future__ import annotations

import json
import math
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

GOLDENS = Path(__file__).parents[1] / "data" / "goldens"
CHUNK = 1 << 24

_CPU = torch.device("cpu")
_NORMS = (".norm1.", ".norm2.", ".layer_norm1.", ".layer_norm2.", ".neck.1.", ".neck.3.")


def make_tensor(
    name: str, shape: Sequence[int], *, salt: int = 0, device: torch.device = _CPU
) -> Tensor:
    """The bfloat16 tensor of that name; another one for each salt."""
    scale, offset = _scale_and_offset(name, shape)
    numel = math.prod(shape)
    flat = torch.empty(numel, dtype=torch.bfloat16, device=device)
    for start in range(0, numel, CHUNK):
        end = min(numel, start + CHUNK)
        values = _lanes(name, start, end, device, salt).float() * (scale / 18918.613)
        flat[start:end] = values + offset if offset else values
    return flat.view(*shape)


def make_pixels(side: int, count: int = 1, *, salt: int = 0, device: torch.device = _CPU) -> Tensor:
    """The float32 input (count, 3, side, side) of the vision goldens."""
    lanes = _lanes(f"golden.pixels.{side}", 0, count * 3 * side * side, device, salt)
    return (lanes.float() / 32768).view(count, 3, side, side)


def write_tiny_checkpoint(folder: Path) -> Path:
    """config.json and one safetensors file of the tiny model."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(GOLDENS / "tiny" / "config.json", folder / "config.json")
    save_file(tiny_tensors(), folder / "model-00001-of-000001.safetensors")
    return folder


def tiny_tensors() -> dict[str, Tensor]:
    listed = json.loads((GOLDENS / "tiny" / "tensors.json").read_text("utf-8"))["tensors"]
    return {name: make_tensor(name, entry["shape"]) for name, entry in listed.items()}


def _lanes(name: str, start: int, end: int, device: torch.device, salt: int) -> Tensor:
    """Signed 16-bit numbers `start` (a multiple of four) to `end` of the stream of that name."""
    counter = torch.arange(start // 4 + 1, -(-end // 4) + 1, device=device)
    seed = zlib.crc32(name.encode()) + (salt << 32)
    z = seed + counter * _signed(0x9E3779B97F4A7C15)
    z = (z ^ _shift(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shift(z, 27)) * _signed(0x94D049BB133111EB)
    z = z ^ _shift(z, 31)
    # flipping the top bit turns an unsigned lane into lane - 32768
    return (z.view(torch.int16) ^ -32768)[: end - start]


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _shift(z: Tensor, bits: int) -> Tensor:
    """A logical right shift of 64-bit numbers; torch's keeps the sign."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _scale_and_offset(name: str, shape: Sequence[int]) -> tuple[float, float]:
    """Standard deviation and mean of a tensor (spec 11, 4)."""
    if name.endswith(".bias"):
        return 0.1, 0.0
    if (
        name.endswith(("layernorm.weight", "layrnorm.weight"))
        or name == "model.norm.weight"
        or any(part in name for part in _NORMS)
    ):
        return 0.1, 1.0
    if name in ("model.image_newline", "model.view_seperator"):
        return 1.0, 0.0
    if name == "model.embed_tokens.weight":
        return 0.5, 0.0
    if name.endswith(("pos_embed", "position_embedding.weight", "class_embedding")):
        return 0.5, 0.0
    if ".rel_pos_" in name:
        return 0.1, 0.0
    gain = 2.0 if name.endswith((".q_proj.weight", ".k_proj.weight")) else 1.0
    return gain / math.sqrt(math.prod(shape[1:])), 0.0
