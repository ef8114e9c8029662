"""How the decode kernels are cut for a batch. Measured on an H200; elsewhere only slower."""

from __future__ import annotations

from dataclasses import dataclass

from dsocr.runtime.kernels.experts_rows import Tiles
from dsocr.runtime.kernels.paged_attention import Split


@dataclass(frozen=True, slots=True)
class Tuning:
    """For up to so many rows."""

    rows: int
    split: Split
    up: Tiles
    down: Tiles


TUNINGS = (
    Tuning(1, Split(32, 32, 4, 3), Tiles(64, 64, 16, 4, 4), Tiles(64, 64, 16, 4, 4)),
    Tuning(4, Split(16, 32, 4, 3), Tiles(64, 128, 16, 4, 4), Tiles(64, 128, 16, 4, 4)),
    Tuning(16, Split(8, 64, 4, 3), Tiles(64, 128, 16, 4, 4), Tiles(64, 128, 16, 4, 4)),
    Tuning(32, Split(2, 64, 4, 3), Tiles(64, 128, 16, 4, 4), Tiles(64, 128, 16, 4, 4)),
    Tuning(64, Split(1, 64, 4, 3), Tiles(64, 128, 16, 4, 4), Tiles(64, 128, 16, 4, 4)),
    Tuning(128, Split(1, 64, 4, 3), Tiles(64, 64, 32, 4, 4), Tiles(64, 64, 32, 4, 4)),
    Tuning(1 << 30, Split(1, 64, 4, 3), Tiles(64, 64, 64, 4, 4), Tiles(128, 64, 64, 4, 4)),
)


def tuning_for(rows: int) -> Tuning:
    return next(tuning for tuning in TUNINGS if rows <= tuning.rows)
