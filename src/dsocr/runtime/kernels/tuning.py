"""How the decode kernels are cut for a batch. Measured on an H200; elsewhere only slower."""

from __future__ import annotations

from dataclasses import dataclass

from dsocr.runtime.kernels.experts_rows import Tiles
from dsocr.runtime.kernels.paged_attention import Split
from dsocr.runtime.kernels.row import Cut


@dataclass(frozen=True, slots=True)
class RowTuning:
    """For a row alone."""

    split: Split = Split(48, 32, 4, 2)
    qkv: Cut = (4, 2)
    out: Cut = (2, 2)
    router: Cut = (1, 1)
    up: Cut = (4, 2)
    down: Cut = (4, 4)
    head: Cut = (8, 4)


@dataclass(frozen=True, slots=True)
class Tuning:
    """For several rows, up to so many."""

    rows: int
    split: Split
    up: Tiles
    down: Tiles


TUNINGS = (
    Tuning(4, Split(16, 32, 4, 4), Tiles(64, 128, 16, 4, 3), Tiles(64, 64, 16, 4, 3)),
    Tuning(16, Split(8, 32, 4, 4), Tiles(64, 128, 16, 4, 3), Tiles(64, 64, 16, 4, 3)),
    Tuning(32, Split(4, 64, 4, 2), Tiles(64, 64, 16, 4, 3), Tiles(64, 64, 16, 4, 6)),
    Tuning(96, Split(2, 64, 4, 2), Tiles(64, 64, 16, 4, 3), Tiles(64, 64, 16, 4, 6)),
    Tuning(160, Split(2, 64, 4, 2), Tiles(64, 64, 32, 4, 3), Tiles(64, 64, 32, 4, 4)),
    Tuning(1 << 30, Split(2, 64, 4, 2), Tiles(64, 64, 64, 4, 3), Tiles(128, 64, 64, 4, 4)),
)


def tuning_for(rows: int) -> Tuning:
    return next(tuning for tuning in TUNINGS if rows <= tuning.rows)
