"""Shared memory that each kernel asks of a card that need not be there, at the released sizes.

    python -m tests.runtime.kernels.compiled_for 86 bfloat16

Our own functions are called, with a card's limits pretended, and what they launch is compiled
instead of run. The last line is JSON: bytes by kernel. Not for the interpreter: run it without
`TRITON_INTERPRET`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from dsocr.runtime.kernels import (
    add_rmsnorm,
    decode_attention,
    elementwise,
    experts_decode,
    experts_gemv,
    experts_prefill,
    gemv,
    prefill_attention,
    repetition_flags,
    sam_attention,
    sampling,
    triton_language,
)
from dsocr.runtime.kernels.experts import ExpertWeights
from dsocr.runtime.kernels.tuning import FP8_SPLITS, PREFILL_TUNINGS, TUNINGS, RowTuning
from tests.runtime.kernels.test_cards import LIMITS

HEADS, DIM, HIDDEN, WIDTH, EXPERTS, CHOSEN = 10, 128, 1280, 896, 64, 6
DENSE, VOCABULARY, POSITIONS, EPS = 6848, 129_280, 8192, 1e-6
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
        constants |= {key: None for key in names if given.get(key, settings.get(key)) is None}
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
        short |= {torch.float8_e4m3fn: "fp8e4nv", torch.uint8: "u8"}
        sizes = {torch.int8: "i8", torch.int32: "i32", torch.int64: "i64"}
        return "*" + (short | sizes)[value.dtype]
    return "fp32" if isinstance(value, float) else "i64" if value > 1 << 31 else "i32"


def compile_all(capability: int, dtype: torch.dtype) -> dict[str, int]:
    found: dict[str, int] = {}
    for module, names in (
        (sam_attention, ("_relative", "_attend_rows", "_attend_window")),
        (elementwise, ("_normalize", "_quick_gelu", "_add_norm")),
        (prefill_attention, ("_rotate_write", "_attend")),
        (decode_attention, ("_attend",)),
        (gemv, ("_linear",)),
        (experts_gemv, ("_up", "_down")),
        (experts_prefill, ("_route", "_up", "_down")),
        (experts_decode, ("_route", "_up", "_down")),
        (add_rmsnorm, ("_add_rmsnorm", "_gate", "_embed")),
        (sampling, ("_look", "_choose")),
        (repetition_flags, ("_flag_suspects",)),
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
    _row(dtype, ahead=capability >= 90)
    _sums(dtype)
    _choices()
    if capability >= 89:
        _rotate_write(dtype, torch.float8_e4m3fn)
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
    elementwise.normalize_fused(_empty(1, 640, 640, 3, dtype=torch.uint8), dtype)
    x, norm = _empty(1, 100, 1024, dtype=dtype), _empty(1024, dtype=dtype)
    elementwise.quick_gelu_fused(x)
    for change in (None, x):
        elementwise.add_norm_fused(x, change, norm, norm, EPS)


def _prompts(dtype: torch.dtype) -> None:
    numbers = _empty(64, 2, dtype=torch.int32)
    blocks = _empty(2, 64, 16, HEADS, DIM, dtype=dtype)
    tables = _empty(1, 64, dtype=torch.int64)
    chunks = prefill_attention.Chunks(numbers[:, 0], tables[:, 0], tables, numbers)
    x = _empty(2048, HIDDEN, dtype=dtype)
    for tuning in PREFILL_TUNINGS:
        prefill_attention.prefill_attention_fused(
            *(x, blocks, chunks),
            queries=tuning.queries,
            keys=tuning.keys,
            warps=tuning.warps,
            stages=tuning.stages,
        )
        out = _empty(2048, CHOSEN + 1, HIDDEN, dtype=dtype)
        for experts in _experts(dtype):
            routes = experts_prefill.route_fused(
                _empty(2048, EXPERTS, dtype=torch.float32), experts
            )
            experts_prefill.experts_prefill_fused(
                x, routes, experts, out, up=tuning.up, down=tuning.down
            )
    _rotate_write(dtype, dtype)


def _rotate_write(dtype: torch.dtype, kept: torch.dtype) -> None:
    turns, places = _empty(POSITIONS, DIM, dtype=dtype), _empty(2048, dtype=torch.int64)
    blocks = _empty(2, 64, 16, HEADS, DIM, dtype=kept)
    qkv = _empty(2048, 3 * HIDDEN, dtype=dtype)
    prefill_attention.rotate_write_fused(qkv, turns, turns, places, places, blocks)


def _decode(dtype: torch.dtype) -> None:
    x, norm = _empty(256, HIDDEN, dtype=dtype), _empty(HIDDEN, dtype=dtype)
    router, numbers = _empty(EXPERTS, HIDDEN, dtype=dtype), _empty(256, dtype=torch.int32)
    for tuning in TUNINGS:
        for experts in _experts(dtype):
            *_, routes = experts_decode.norm_route_fused(
                *(x, x, norm, EPS, router, experts, numbers, numbers), cut=tuning.router
            )
            experts_decode.experts_decode_fused(x, routes, experts, up=tuning.up, down=tuning.down)
        _attend_newest(tuning.split, dtype, dtype)


def _row(dtype: torch.dtype, *, ahead: bool) -> None:
    tuning = RowTuning()
    x, norm = _empty(1, HIDDEN, dtype=dtype), _empty(HIDDEN, dtype=dtype)
    _attend_newest(tuning.split, dtype, dtype, ahead=ahead)
    gemv.gemv_fused(x, _empty(HIDDEN, HIDDEN, dtype=dtype), cut=tuning.out, ahead=ahead)
    for outputs, kind, cut in (
        (3 * HIDDEN, dtype, tuning.qkv),
        (EXPERTS, torch.float32, tuning.router),
        (VOCABULARY, torch.float32, tuning.head),
    ):
        weight = _empty(outputs, HIDDEN, dtype=dtype)
        for change in (None, x):
            gemv.norm_gemv_fused(x, change, norm, EPS, weight, kind, cut=cut, ahead=ahead)
    wide = _empty(DENSE, HIDDEN, dtype=dtype)
    dense = ExpertWeights(wide, wide, _empty(HIDDEN, DENSE, dtype=dtype), DENSE)
    scores = _empty(1, EXPERTS, dtype=torch.float32)
    for change, logits, experts in (
        (x, None, dense),
        *((None, scores, experts) for experts in _experts(dtype)),
    ):
        experts_gemv.experts_gemv_fused(
            *(x, change, norm, EPS, logits, experts), up=tuning.up, down=tuning.down, ahead=ahead
        )


def _sums(dtype: torch.dtype) -> None:
    x, norm = _empty(256, HIDDEN, dtype=dtype), _empty(HIDDEN, dtype=dtype)
    for parts in (1, CHOSEN + 1, CHOSEN + 2):
        add_rmsnorm.add_rmsnorm_fused(x, _empty(256, parts, HIDDEN, dtype=dtype), norm, EPS)
    add_rmsnorm.add_rmsnorm_fused(x, None, norm, EPS)
    add_rmsnorm.gate_fused(_empty(2048, 2 * DENSE, dtype=dtype))
    rows, tokens = _empty(256, dtype=torch.int32), _empty(256, POSITIONS, dtype=torch.int32)
    add_rmsnorm.newest_embeddings_fused(_empty(VOCABULARY, HIDDEN, dtype=dtype), tokens, rows, rows)


def _attend_newest(
    split: decode_attention.Split, dtype: torch.dtype, kept: torch.dtype, *, ahead: bool = False
) -> None:
    qkv = _empty(256, 3 * HIDDEN, dtype=dtype)
    turns = _empty(POSITIONS, DIM, dtype=dtype)
    rows = _empty(256, dtype=torch.int32)
    sequences = decode_attention.Sequences(rows, rows, _empty(256, 512, dtype=torch.int32))
    blocks = _empty(2, 64, 16, HEADS, DIM, dtype=kept)
    decode_attention.decode_attention_fused(
        qkv, turns, turns, blocks, sequences, split=split, arrived=rows, ahead=ahead
    )


def _choices() -> None:
    rows = _empty(256, dtype=torch.int32)
    tokens = _empty(256, POSITIONS, dtype=torch.int32)
    params = _empty(256, sampling.NUM_FIELDS, dtype=torch.int32)
    histories = sampling.Histories(tokens, params, rows[:2], end=1)
    chosen = sampling.choose_fused(_empty(256, VOCABULARY, dtype=torch.float32), histories, rows)
    traces = repetition_flags.traces_for(tokens, [])
    repetition_flags.flag_suspects_fused(histories, traces, rows, chosen[2])


def _experts(dtype: torch.dtype) -> tuple[ExpertWeights, ExpertWeights]:
    """As they are, and those to choose from in int8."""
    whole = ExpertWeights(
        gate=_empty(2 * WIDTH, HIDDEN, dtype=dtype),
        up=_empty(2 * WIDTH, HIDDEN, dtype=dtype),
        down=_empty(HIDDEN, 2 * WIDTH, dtype=dtype),
        width=WIDTH,
        w13=_empty(EXPERTS, 2 * WIDTH, HIDDEN, dtype=dtype),
        w2=_empty(EXPERTS, HIDDEN, WIDTH, dtype=dtype),
        num_chosen=CHOSEN,
    )
    return whole, replace(
        whole,
        w13=_empty(EXPERTS, 2 * WIDTH, HIDDEN, dtype=torch.int8),
        w2=_empty(EXPERTS, HIDDEN, WIDTH, dtype=torch.int8),
        scale13=_empty(EXPERTS, 2 * WIDTH, dtype=torch.float32),
        scale2=_empty(EXPERTS, HIDDEN, dtype=torch.float32),
    )


if __name__ == "__main__":
    found = compile_all(int(sys.argv[1]), getattr(torch, sys.argv[2]))
    print(json.dumps(found))
