"""Block sizes, warps and stages by batch size, as measured on an H200. `fit_block` and `fit_stages`
reduce them on devices with less shared memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dsocr.runtime.kernels.decode_attention import Split
from dsocr.runtime.kernels.experts_decode import DecodeTile
from dsocr.runtime.kernels.experts_prefill import PrefillTile
from dsocr.runtime.kernels.gemv import GemvTile


@dataclass(frozen=True, slots=True)
class GemvTuning:
    """For decoding a single row."""

    split: Split = Split(64, 32, 4, 2)
    qkv: GemvTile = (4, 2)
    out: GemvTile = (2, 2)
    router: GemvTile = (1, 1)
    up: GemvTile = (4, 1)
    down: GemvTile = (4, 4)
    head: GemvTile = (8, 4)


@dataclass(frozen=True, slots=True)
class DecodeTuning:
    """For decoding several rows, at most `max_rows`."""

    max_rows: int
    split: Split
    router: tuple[int, int]
    """Inputs per iteration, warps."""
    up: DecodeTile
    down: DecodeTile


_WIDE_TILE = DecodeTile(64, 128, 16, 4, 3)
_TILE = DecodeTile(64, 64, 16, 4, 3)

DECODE_TUNINGS = (
    DecodeTuning(4, Split(16, 32, 4, 4), (128, 8), _WIDE_TILE, _TILE),
    DecodeTuning(16, Split(10, 32, 4, 2), (128, 8), _WIDE_TILE, _TILE),
    DecodeTuning(32, Split(2, 64, 4, 2), (128, 8), _WIDE_TILE, _WIDE_TILE),
    DecodeTuning(96, Split(2, 64, 4, 2), (256, 8), _TILE, DecodeTile(64, 64, 16, 4, 6)),
    DecodeTuning(
        *(160, Split(2, 64, 4, 2), (256, 8)),
        up=DecodeTile(64, 64, 32, 4, 3),
        down=DecodeTile(64, 64, 32, 4, 4),
    ),
    DecodeTuning(
        *(1 << 30, Split(2, 64, 4, 2), (64, 4)),
        up=DecodeTile(64, 64, 64, 4, 3),
        down=DecodeTile(128, 64, 64, 4, 4),
    ),
)

WINDOWED_SPLIT = Split(1, 64, 4, 2)
"""For more than `WINDOWED_ROWS` rows of a model with a window, which leaves too few tokens of a
sequence to share among programs."""
WINDOWED_ROWS = 160

FP8_SPLITS = (
    (1, Split(32, 64, 4, 2)),
    (16, Split(16, 32, 4, 2)),
    (48, Split(2, 128, 8, 2)),
    (1 << 30, Split(1, 128, 8, 2)),
)
"""(most rows, split) for an fp8 cache, where converting the values takes as long as loading."""


def decode_tuning_for(rows: int) -> DecodeTuning:
    return next(tuning for tuning in DECODE_TUNINGS if rows <= tuning.max_rows)


def windowed_tuning_for(rows: int) -> DecodeTuning:
    """`decode_tuning_for` of a model with a window."""
    tuning = decode_tuning_for(rows)
    return replace(tuning, split=WINDOWED_SPLIT) if rows > WINDOWED_ROWS else tuning


def fp8_tuning_for(rows: int) -> DecodeTuning:
    """`decode_tuning_for` an fp8 cache."""
    return replace(decode_tuning_for(rows), split=fp8_split_for(rows))


def fp8_split_for(rows: int) -> Split:
    return next(split for max_rows, split in FP8_SPLITS if rows <= max_rows)


@dataclass(frozen=True, slots=True)
class PrefillTuning:
    """For prompts of at most `max_tokens` in total: queries and keys per block, warps and stages of
    the attention, and the experts' tiles."""

    max_tokens: int
    queries: int
    keys: int
    warps: int
    stages: int
    up: PrefillTile
    down: PrefillTile


PREFILL_TUNINGS = (
    PrefillTuning(
        *(512, 64, 128, 4, 2),
        up=PrefillTile(32, 64, 64, 4, 4),
        down=PrefillTile(32, 128, 64, 4, 3),
    ),
    PrefillTuning(
        *(1536, 64, 128, 4, 2),
        up=PrefillTile(32, 128, 64, 4, 3),
        down=PrefillTile(32, 128, 64, 4, 3),
    ),
    PrefillTuning(
        *(1 << 30, 64, 64, 4, 2),
        up=PrefillTile(128, 128, 64, 8, 3),
        down=PrefillTile(128, 256, 64, 8, 3),
    ),
)


def prefill_tuning_for(num_tokens: int) -> PrefillTuning:
    return next(tuning for tuning in PREFILL_TUNINGS if num_tokens <= tuning.max_tokens)


DRAFT_COSTS = (
    (1, 0.50, 0.120),
    (4, 0.45, 0.060),
    (16, 0.38, 0.015),
    (48, 0.10, 0.026),
    (160, 0.00, 0.090),
    (1 << 30, 0.00, 0.120),
)
"""(most rows, what a step with drafts takes longer than one without, and what each draft per row
adds), as parts of a step without drafts."""


def draft_cost(rows: int, drafts: int) -> float:
    """How long a step of so many rows and drafts takes, as a multiple of one without drafts."""
    _, base, each = next(cost for cost in DRAFT_COSTS if rows <= cost[0])
    return 1 + base + each * drafts / rows
