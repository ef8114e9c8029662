"""Shared memory that each kernel asks of a card that need not be there, at the released sizes.

    python -m tests.runtime.kernels.compiled_for 86 bfloat16

Our own functions are called, with a card's limits pretended, and what they launch is compiled
instead of run. The last line is JSON: bytes by kernel. Not for the interpreter: run it without
`TRITON_INTERPRET`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from dsocr.runtime.kernels import (
    choice,
    chunk_attention,
    experts_rows,
    experts_tiles,
    paged_attention,
    sam_attention,
    triton_language,
    watch,
)
from dsocr.runtime.kernels.experts import ExpertWeights
from dsocr.runtime.kernels.tuning import FP8_SPLITS, PREFILL_TUNINGS, TUNINGS
from tests.runtime.kernels.test_cards import LIMITS

HEADS, DIM, HIDDEN, WIDTH, EXPERTS, CHOSEN = 10, 128, 1280, 896, 64, 6
OPTIONS = ("num_warps", "num_stages", "maxnreg", "launch_pdl")
META = torch.device("meta")


class Compiler:
    """Takes the place of a kernel."""

    def __init__(self, kernel: Any, capability: int, found: dict[str, int], name: str) -> None:
        self._kernel, self._capability, self._found, self._name = kernel, capability, found, name

    def __getitem__(self, grid: object) -> Any:
        return self._compile

    def _compile(self, *values: Any, **settings: Any) -> None:
        names = self._kernel.arg_names
        given = dict(zip(names, values, strict=False))
        options = {key: settings.pop(key) for key in OPTIONS if settings.get(key) is not None}
        constants = {key: value for key, value in settings.items() if key not in OPTIONS}
        constants |= {key: None for key, value in given.items() if value is None}
        types = {key: "constexpr" if key in constants else _type(given[key]) for key in names}
        source = ASTSource(
            self._kernel,
            types,
            constexprs={(names.index(key),): value for key, value in constants.items()},
            attrs={
                (place,): [["tt.divisibility", 16]]
                for place, key in enumerate(names)
                if types[key].startswith("*") or key.endswith("stride")
            },
        )
        target = GPUTarget("cuda", self._capability, 32)
        shared = triton.compile(source, target=target, options=options).metadata.shared
        self._found[self._name] = max(shared, self._found.get(self._name, 0))


def _type(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        short = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
        short |= {torch.float8_e4m3fn: "fp8e4nv"}
        sizes = {torch.int8: "i8", torch.int32: "i32", torch.int64: "i64"}
        return "*" + (short | sizes)[value.dtype]
    return "fp32" if isinstance(value, float) else "i64" if value > 1 << 31 else "i32"


def compile_all(capability: int, dtype: torch.dtype) -> dict[str, int]:
    found: dict[str, int] = {}
    for module, names in (
        (sam_attention, ("_relative", "_attend_rows", "_attend_window")),
        (chunk_attention, ("_attend",)),
        (paged_attention, ("_attend",)),
        (experts_tiles, ("_up", "_down")),
        (experts_rows, ("_up", "_down")),
        (choice, ("_look", "_choose")),
        (watch, ("_flag_suspects",)),
    ):
        for name in names:
            title = f"{module.__name__.rpartition('.')[2]}.{name}"
            kernel = getattr(module, name)
            setattr(module, name, Compiler(kernel, capability, found, title))
    memory = LIMITS[capability], int(capability < 90)
    triton_language._shared_memory = lambda device: memory  # type: ignore[assignment]
    _towers(dtype)
    _prompts(dtype)
    _decode(dtype)
    _choices()
    if capability >= 89:
        for _, split in FP8_SPLITS:
            _attend_newest(split, dtype, torch.float8_e4m3fn)
    return found


def _empty(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(*shape, dtype=dtype, device=META)


def _towers(dtype: torch.dtype) -> None:
    for side, window in ((80, 80), (40, 40), (64, 14)):
        qkv = _empty(1, side, side, 3 * 768, dtype=dtype)
        rel = _empty(2 * window - 1, 64, dtype=dtype)
        sam_attention.attend_square_fused(qkv, qkv[0, 0, 0], rel, rel, num_heads=12, window=window)


def _prompts(dtype: torch.dtype) -> None:
    numbers = _empty(64, 2, dtype=torch.int32)
    blocks = _empty(2, 64, 16, HEADS, DIM, dtype=dtype)
    tables = _empty(1, 64, dtype=torch.int64)
    chunks = chunk_attention.Chunks(numbers[:, 0], tables[:, 0], tables, numbers)
    x = _empty(2048, HIDDEN, dtype=dtype)
    for tuning in PREFILL_TUNINGS:
        chunk_attention.attend_chunks_fused(
            *(x, blocks, chunks),
            queries=tuning.queries,
            keys=tuning.keys,
            warps=tuning.warps,
            stages=tuning.stages,
        )
        out = _empty(2048, CHOSEN + 2, HIDDEN, dtype=dtype)
        routes = _routes(2048)
        experts_tiles.experts_tiles_fused(
            x, routes, _experts(dtype), out, up=tuning.up, down=tuning.down
        )


def _decode(dtype: torch.dtype) -> None:
    x = _empty(256, HIDDEN, dtype=dtype)
    for tuning in TUNINGS:
        experts_rows.experts_rows_fused(
            x, _routes(256), _experts(dtype), up=tuning.up, down=tuning.down
        )
        _attend_newest(tuning.split, dtype, dtype)


def _attend_newest(split: paged_attention.Split, dtype: torch.dtype, kept: torch.dtype) -> None:
    qkv = _empty(256, 3 * HIDDEN, dtype=dtype)
    turns = _empty(8192, DIM, dtype=dtype)
    rows = _empty(256, dtype=torch.int32)
    sequences = paged_attention.Sequences(rows, rows, _empty(256, 512, dtype=torch.int32))
    blocks = _empty(2, 64, 16, HEADS, DIM, dtype=kept)
    paged_attention.attend_newest_fused(
        qkv, turns, turns, blocks, sequences, split=split, arrived=rows
    )


def _choices() -> None:
    rows = _empty(256, dtype=torch.int32)
    tokens = _empty(256, 8192, dtype=torch.int32)
    params = _empty(256, choice.NUM_FIELDS, dtype=torch.int32)
    histories = choice.Histories(tokens, params, rows[:2], end=1)
    chosen = choice.choose_fused(_empty(256, 129_280, dtype=torch.float32), histories, rows)
    traces = watch.traces_for(tokens, [])
    watch.flag_suspects_fused(histories, traces, rows, chosen[2])


def _routes(count: int) -> Any:
    numbers = _empty(count, CHOSEN, dtype=torch.int32)
    return experts_tiles.Routes(numbers.float(), numbers, numbers[0], numbers)


def _experts(dtype: torch.dtype) -> ExpertWeights:
    return ExpertWeights(
        gate=_empty(2 * WIDTH, HIDDEN, dtype=dtype),
        up=_empty(2 * WIDTH, HIDDEN, dtype=dtype),
        down=_empty(HIDDEN, 2 * WIDTH, dtype=dtype),
        width=WIDTH,
        w13=_empty(EXPERTS, 2 * WIDTH, HIDDEN, dtype=dtype),
        w2=_empty(EXPERTS, HIDDEN, WIDTH, dtype=dtype),
        num_chosen=CHOSEN,
    )


if __name__ == "__main__":
    found = compile_all(int(sys.argv[1]), getattr(torch, sys.argv[2]))
    print(json.dumps(found))
