"""Shared memory of each kernel when compiled for a card, at the released model's sizes.

    python -m tests.runtime.kernels.compiled_for 86 bfloat16

The card need not be present: the functions that launch kernels are called with its limits, and the
kernels are compiled instead of run. The last line is JSON: bytes by kernel. Run it without
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
    triton_compat,
)
from dsocr.runtime.kernels.experts import ExpertWeights
from dsocr.runtime.kernels.tuning import DECODE_TUNINGS, FP8_SPLITS, PREFILL_TUNINGS, GemvTuning
from tests.runtime.kernels.test_cards import LIMITS

HEADS, DIM, HIDDEN, WIDTH, EXPERTS, CHOSEN = 10, 128, 1280, 896, 64, 6
DENSE, VOCABULARY, POSITIONS, EPS, WINDOW = 6848, 129_280, 8192, 1e-6, 128
OPTIONS = ("num_warps", "num_stages", "maxnreg", "launch_pdl")
META = torch.device("meta")


class Compiler:
    """Replaces a kernel; compiles it where it would be launched."""

    def __init__(self, kernel: Any, capability: int, shared: dict[str, int], name: str) -> None:
        self._kernel, self._capability, self._shared, self._name = kernel, capability, shared, name

    def __getitem__(self, grid: object) -> Any:
        return self._compile

    def _compile(self, *values: Any, **settings: Any) -> None:
        names = self._kernel.arg_names
        arguments = dict(zip(names, values, strict=False))
        options = {key: settings.pop(key) for key in OPTIONS if settings.get(key) is not None}
        constants = {key: value for key, value in settings.items() if key not in OPTIONS}
        constants |= {key: None for key in names if arguments.get(key, settings.get(key)) is None}
        types = {key: "constexpr" if key in constants else _type(arguments[key]) for key in names}
        source = ASTSource(
            self._kernel,
            types,
            constexprs={(names.index(key),): value for key, value in constants.items()},
            attrs={
                (index,): [["tt.divisibility", 16]]
                for index, key in enumerate(names)
                if types[key].startswith("*") or key.endswith("stride")
            },
        )
        target = GPUTarget("cuda", self._capability, 32)
        shared = triton.compile(source, target=target, options=options).metadata.shared
        self._shared[self._name] = max(shared, self._shared.get(self._name, 0))


def _type(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        short = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
        short |= {torch.float8_e4m3fn: "fp8e4nv", torch.uint8: "u8"}
        sizes = {torch.int8: "i8", torch.int32: "i32", torch.int64: "i64"}
        return "*" + (short | sizes)[value.dtype]
    return "fp32" if isinstance(value, float) else "i64" if value > 1 << 31 else "i32"


def compile_all(capability: int, dtype: torch.dtype) -> dict[str, int]:
    shared: dict[str, int] = {}
    for module, names in (
        (sam_attention, ("_relative_bias", "_attend_rows", "_attend_window")),
        (elementwise, ("_normalize", "_quick_gelu", "_rotate_heads", "_add_layernorm")),
        (prefill_attention, ("_rotate_write", "_attend")),
        (decode_attention, ("_attend",)),
        (gemv, ("_gemv",)),
        (experts_gemv, ("_up", "_down")),
        (experts_prefill, ("_route", "_up", "_down")),
        (experts_decode, ("_norm_route", "_up", "_down")),
        (add_rmsnorm, ("_add_rmsnorm", "_silu_mul", "_gather_embeddings")),
        (sampling, ("_reduce_chunks", "_sample")),
        (repetition_flags, ("_flag_repetition",)),
    ):
        for name in names:
            title = f"{module.__name__.rpartition('.')[2]}.{name}"
            kernel = getattr(module, name)
            setattr(module, name, Compiler(kernel, capability, shared, title))
    memory = LIMITS[capability], int(capability < 90)
    triton_compat._shared_memory = lambda device: memory  # type: ignore[assignment]
    _vision(dtype)
    _prefill(dtype)
    _decode(dtype)
    _single_row(dtype, pdl=capability >= 90)
    _norms(dtype)
    _sampling()
    if capability >= 89:
        _rotate_write(dtype, torch.float8_e4m3fn)
        for _, split in FP8_SPLITS:
            _decode_attention(split, dtype, torch.float8_e4m3fn)
        _decode_attention(FP8_SPLITS[-1][1], dtype, torch.float8_e4m3fn, window=WINDOW)
    return shared


def _empty(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(*shape, dtype=dtype, device=META)


def _vision(dtype: torch.dtype) -> None:
    for side, window in ((80, 80), (40, 40), (64, 14)):
        qkv = _empty(1, side, side, 3 * 768, dtype=dtype)
        rel = _empty(2 * window - 1, 64, dtype=dtype)
        sam_attention.sam_attention_fused(qkv, qkv[0, 0, 0], rel, rel, num_heads=12, window=window)
    elementwise.normalize_fused(_empty(1, 640, 640, 3, dtype=torch.uint8), dtype)
    x, norm = _empty(1, 100, 1024, dtype=dtype), _empty(1024, dtype=dtype)
    elementwise.quick_gelu_fused(x)
    table = _empty(288, 1, 64, dtype=dtype)
    elementwise.rotate_heads_fused(_empty(1, 288, 18, 64, dtype=dtype), table, table, count=16)
    for delta in (None, x):
        elementwise.add_layernorm_fused(x, delta, norm, norm, EPS)


def _prefill(dtype: torch.dtype) -> None:
    tiles = _empty(64, 2, dtype=torch.int32)
    blocks = _empty(2, 64, 16, HEADS, DIM, dtype=dtype)
    tables = _empty(1, 64, dtype=torch.int64)
    chunks = prefill_attention.Chunks(tiles[:, 0], tables[:, 0], tables, tiles)
    x = _empty(2048, HIDDEN, dtype=dtype)
    for tuning, window in (
        (PREFILL_TUNINGS[-1], WINDOW),
        *((one, None) for one in PREFILL_TUNINGS),
    ):
        prefill_attention.prefill_attention_fused(
            *(x, blocks, chunks),
            queries=tuning.queries,
            keys=tuning.keys,
            warps=tuning.warps,
            stages=tuning.stages,
            window=window,
        )
        if window is not None:
            continue
        out = _empty(2048, CHOSEN + 1, HIDDEN, dtype=dtype)
        for experts in _experts(dtype):
            routes = experts_prefill.route_fused(
                _empty(2048, EXPERTS, dtype=torch.float32), experts
            )
            experts_prefill.experts_prefill_fused(
                x, routes, experts, out, up=tuning.up, down=tuning.down
            )
    _rotate_write(dtype, dtype)


def _rotate_write(dtype: torch.dtype, cache_dtype: torch.dtype) -> None:
    angles, positions = _empty(POSITIONS, DIM, dtype=dtype), _empty(2048, dtype=torch.int64)
    blocks = _empty(2, 64, 16, HEADS, DIM, dtype=cache_dtype)
    qkv = _empty(2048, 3 * HIDDEN, dtype=dtype)
    prefill_attention.rotate_write_fused(qkv, angles, angles, positions, positions, blocks)


def _decode(dtype: torch.dtype) -> None:
    x, norm = _empty(256, HIDDEN, dtype=dtype), _empty(HIDDEN, dtype=dtype)
    router, rows = _empty(EXPERTS, HIDDEN, dtype=dtype), _empty(256, dtype=torch.int32)
    for tuning in DECODE_TUNINGS:
        for experts in _experts(dtype):
            *_, routes = experts_decode.norm_route_fused(
                *(x, x, norm, EPS, router, experts, rows, rows), tile=tuning.router
            )
            experts_decode.experts_decode_fused(x, routes, experts, up=tuning.up, down=tuning.down)
        _decode_attention(tuning.split, dtype, dtype)
    _decode_attention(DECODE_TUNINGS[-1].split, dtype, dtype, window=WINDOW)


def _single_row(dtype: torch.dtype, *, pdl: bool) -> None:
    tuning = GemvTuning()
    x, norm = _empty(1, HIDDEN, dtype=dtype), _empty(HIDDEN, dtype=dtype)
    _decode_attention(tuning.split, dtype, dtype, pdl=pdl)
    gemv.gemv_fused(x, _empty(HIDDEN, HIDDEN, dtype=dtype), tile=tuning.out, pdl=pdl)
    for outputs, out_dtype, tile in (
        (3 * HIDDEN, dtype, tuning.qkv),
        (EXPERTS, torch.float32, tuning.router),
        (VOCABULARY, torch.float32, tuning.head),
    ):
        weight = _empty(outputs, HIDDEN, dtype=dtype)
        for delta in (None, x):
            gemv.norm_gemv_fused(x, delta, norm, EPS, weight, out_dtype, tile=tile, pdl=pdl)
    gate_up = _empty(DENSE, HIDDEN, dtype=dtype)
    dense = ExpertWeights(gate_up, gate_up, _empty(HIDDEN, DENSE, dtype=dtype), DENSE)
    scores = _empty(1, EXPERTS, dtype=torch.float32)
    for delta, logits, experts in (
        (x, None, dense),
        *((None, scores, experts) for experts in _experts(dtype)),
    ):
        experts_gemv.experts_gemv_fused(
            *(x, delta, norm, EPS, logits, experts), up=tuning.up, down=tuning.down, pdl=pdl
        )


def _norms(dtype: torch.dtype) -> None:
    x, norm = _empty(256, HIDDEN, dtype=dtype), _empty(HIDDEN, dtype=dtype)
    for num_deltas in (1, CHOSEN + 1, CHOSEN + 2):
        add_rmsnorm.add_rmsnorm_fused(x, _empty(256, num_deltas, HIDDEN, dtype=dtype), norm, EPS)
    add_rmsnorm.add_rmsnorm_fused(x, None, norm, EPS)
    add_rmsnorm.silu_mul_fused(_empty(2048, 2 * DENSE, dtype=dtype))
    rows, tokens = _empty(256, dtype=torch.int32), _empty(256, POSITIONS, dtype=torch.int32)
    add_rmsnorm.gather_embeddings_fused(_empty(VOCABULARY, HIDDEN, dtype=dtype), tokens, rows, rows)


def _decode_attention(
    split: decode_attention.Split,
    dtype: torch.dtype,
    cache_dtype: torch.dtype,
    *,
    pdl: bool = False,
    window: int | None = None,
) -> None:
    qkv = _empty(256, 3 * HIDDEN, dtype=dtype)
    angles = _empty(POSITIONS, DIM, dtype=dtype)
    rows = _empty(256, dtype=torch.int32)
    tables = _empty(256, 512, dtype=torch.int32)
    sequences = decode_attention.DecodeSequences(rows, rows, tables, rows)
    blocks = _empty(2, 64, 16, HEADS, DIM, dtype=cache_dtype)
    decode_attention.decode_attention_fused(
        *(qkv, angles, angles, blocks, sequences),
        split=split,
        split_counters=rows,
        pdl=pdl,
        window=window,
    )


def _sampling() -> None:
    rows = _empty(256, dtype=torch.int32)
    tokens = _empty(256, POSITIONS, dtype=torch.int32)
    params = _empty(256, sampling.NUM_FIELDS, dtype=torch.int32)
    histories = sampling.TokenHistories(tokens, params, rows[:2], end=1)
    logits = _empty(256, VOCABULARY, dtype=torch.float32)
    sampled = sampling.sample_tokens_fused(logits, histories, rows)
    state = repetition_flags.make_repetition_state(tokens, [])
    repetition_flags.flag_repetition_fused(histories, state, rows, sampled[2])


def _experts(dtype: torch.dtype) -> tuple[ExpertWeights, ExpertWeights]:
    """In dtype, and with int8 weights of the experts to choose from."""
    weights = ExpertWeights(
        gate=_empty(2 * WIDTH, HIDDEN, dtype=dtype),
        up=_empty(2 * WIDTH, HIDDEN, dtype=dtype),
        down=_empty(HIDDEN, 2 * WIDTH, dtype=dtype),
        width=WIDTH,
        w13=_empty(EXPERTS, 2 * WIDTH, HIDDEN, dtype=dtype),
        w2=_empty(EXPERTS, HIDDEN, WIDTH, dtype=dtype),
        num_chosen=CHOSEN,
    )
    return weights, replace(
        weights,
        w13=_empty(EXPERTS, 2 * WIDTH, HIDDEN, dtype=torch.int8),
        w2=_empty(EXPERTS, HIDDEN, WIDTH, dtype=torch.int8),
        scale13=_empty(EXPERTS, 2 * WIDTH, dtype=torch.float32),
        scale2=_empty(EXPERTS, HIDDEN, dtype=torch.float32),
    )


if __name__ == "__main__":
    shared = compile_all(int(sys.argv[1]), getattr(torch, sys.argv[2]))
    print(json.dumps(shared))
