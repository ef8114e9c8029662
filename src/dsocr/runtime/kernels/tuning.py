"""How the kernels are cut for a batch, as measured on an H200. Where a card has less shared memory
`fitting_block` and `fitting_stages` cut them further."""

from __future__ import annotations

from dataclasses import dataclass

from dsocr.runtime.kernels.decode_attention import Split
from dsocr.runtime.kernels.experts_decode import Tiles
from dsocr.runtime.kernels.experts_prefill import Tile
from dsocr.runtime.kernels.gemv import Cut


@dataclass(frozen=True, slots=True)
class RowTuning:
    """For a row alone."""

    split: Split = Split(64, 32, 4, 2)
    qkv: Cut = (4, 2)
    out: Cut = (2, 2)
    router: Cut = (1, 1)
    up: Cut = (4, 1)
    down: Cut = (4, 4)
    head: Cut = (8, 4)


@dataclass(frozen=True, slots=True)
class Tuning:
    """For several rows, up to so many."""

    rows: int
    split: Split
    router: tuple[int, int]
    """Inputs at once, warps."""
    up: Tiles
    down: Tiles


_FEW = Tiles(64, 128, 16, 4, 3)
_SOME = Tiles(64, 64, 16, 4, 3)

TUNINGS = (
    Tuning(4, Split(16, 32, 4, 4), (128, 8), _FEW, _SOME),
    Tuning(16, Split(10, 32, 4, 2), (128, 8), _FEW, _SOME),
    Tuning(32, Split(2, 64, 4, 2), (128, 8), _FEW, _FEW),
    Tuning(96, Split(2, 64, 4, 2), (256, 8), _SOME, Tiles(64, 64, 16, 4, 6)),
    Tuning(160, Split(2, 64, 4, 2), (256, 8), Tiles(64, 64, 32, 4, 3), Tiles(64, 64, 32, 4, 4)),
    Tuning(1 << 30, Split(2, 64, 4, 2), (64, 4), Tiles(64, 64, 64, 4, 3), Tiles(128, 64, 64, 4, 4)),
)


FP8_SPLITS = (
    (1, Split(32, 64, 4, 2)),
    (16, Split(16, 32, 4, 2)),
    (48, Split(2, 128, 8, 2)),
    (1 << 30, Split(1, 128, 8, 2)),
)
"""Of a cache in fp8, where turning the values into others takes as long as reading them."""


def tuning_for(rows: int) -> Tuning:
    return next(tuning for tuning in TUNINGS if rows <= tuning.rows)


def fp8_split_for(rows: int) -> Split:
    return next(split for most, split in FP8_SPLITS if rows <= most)


@dataclass(frozen=True, slots=True)
class PrefillTuning:
    """For prompts of so many tokens together: the attention's queries and keys, warps and stages,
    and the experts' tiles."""

    tokens: int
    queries: int
    keys: int
    warps: int
    stages: int
    up: Tile
    down: Tile


PREFILL_TUNINGS = (
    PrefillTuning(512, 64, 128, 4, 2, Tile(32, 64, 64, 4, 4), Tile(32, 128, 64, 4, 3)),
    PrefillTuning(1536, 64, 128, 4, 2, Tile(32, 128, 64, 4, 3), Tile(32, 128, 64, 4, 3)),
    PrefillTuning(1 << 30, 64, 64, 4, 2, Tile(128, 128, 64, 8, 3), Tile(128, 256, 64, 8, 3)),
)


def prefill_tuning_for(tokens: int) -> PrefillTuning:
    return next(tuning for tuning in PREFILL_TUNINGS if tokens <= tuning.tokens)
