"""The kernel launches of a configuration, recorded without a GPU and without weights.

The runtime's own steps run on the `meta` device, where tensors have a shape and no memory: every
kernel that would be launched is noted with its arguments instead. So the list follows the code, and
a compiled launch has the key under which Triton looks it up when the same step runs on the card.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dsocr.runtime import kernels
from dsocr.runtime.cache.batch import Chunk, make_batch
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.compilation.plan import CompilationPlan
from dsocr.runtime.devices import FP8
from dsocr.runtime.execution.decode_graph import BUCKETS, DecodeState
from dsocr.runtime.execution.decode_step import DecodeStep, can_decode
from dsocr.runtime.execution.decoder_weights import DeepseekMoeModel
from dsocr.runtime.execution.draft_graph import MAX_DRAFTS, draft_sizes
from dsocr.runtime.execution.draft_step import DraftStep
from dsocr.runtime.execution.prefill_step import PrefillStep
from dsocr.runtime.kernels.triton_compat import compile_for, supports_kernels, triton
from dsocr.runtime.kernels.tuning import PREFILL_TUNINGS
from dsocr.runtime.models.family import OcrModel
from dsocr.runtime.text.draft_lookup import Grammar
from dsocr.runtime.text.tokenizer import CELLS
from dsocr.runtime.weights.loader import empty_model, give_memory

META = torch.device("meta")
NUM_VIEWS = (1, 2, 6)
"""Views of a pass: kernels may be compiled differently for a single one."""
PROMPTS = (
    1,
    2,
    *(end for tuning in PREFILL_TUNINGS for end in (tuning.max_tokens, tuning.max_tokens + 1)),
)
"""Tokens of a prompt: both ends of every tuning, as far as a context has as many."""
LARGE_CACHE = 1 << 31
"""Blocks of a cache whose strides need 64 bits, so that Triton compiles decode attention again."""
NUM_CELLS = len(CELLS)
"""Tokens that the windowed no-repeat rule leaves out."""
GRAMMAR = Grammar(
    *(0, 1, {1: (0,), 2: (0, 0), 3: (0,)}),
    starts=frozenset({0, 1}),
    numbers=frozenset({0}),
    separator=(0, 0),
    box_close=(0, 0, 0),
)
"""As many tokens of each kind as `text.drafter.output_grammar` has."""
LONGEST = (
    "experts_prefill._down",
    "experts_decode._norm_route",
    "repetition_flags._flag_repetition",
)
"""These take seconds, the others about one: started last they would run alone at the end."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel with arguments that it is compiled for."""

    kernel: Any
    arguments: tuple[Any, ...]
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.kernel.__module__.rpartition('.')[2]}.{self.kernel.__name__}"

    def compile(self) -> Any:
        """The kernel compiled for Triton's active target, or found in the cache."""
        run = type(self.kernel).run
        return run(self.kernel, *self.arguments, grid=(1,), warmup=True, **self.settings)


def launches_of(plan: CompilationPlan) -> list[Launch]:
    """What the runtime launches on the plan's card. Compiles for that card from now on."""
    compile_for(plan.card)
    family, spec = plan.model
    dtype: torch.dtype = getattr(torch, plan.dtype)
    model = empty_model(family, family.one_of_each_layer(spec), "sdpa")
    assert isinstance(model, torch.nn.Module)
    expert_dtype: Any = plan.expert_dtype
    give_memory(model, device=META, dtype=dtype, expert_dtype=expert_dtype)
    if supports_kernels(META, dtype):
        model.use_kernels()
    return record_launches(
        model,
        cache_dtype=FP8 if plan.cache_dtype == "fp8" else dtype,
        max_num_seqs=plan.max_num_seqs,
        drafts=plan.drafts,
    )


def record_launches(
    model: OcrModel, *, cache_dtype: torch.dtype, max_num_seqs: int, drafts: bool = False
) -> list[Launch]:
    """Each variant that the runtime launches for this model on `meta`, once; those that take the
    longest to compile first. `triton_compat.compile_for` names the card."""
    launches: dict[Any, Launch] = {}

    def note(kernel: Any, *arguments: Any, grid: object, warmup: bool, **settings: Any) -> None:
        launch = Launch(kernel, arguments, settings)
        launches.setdefault((launch.name, _key(launch)), launch)

    with _recording(note), _OnMeta():
        if can_decode(model):
            small, large = (_cache(model, count, cache_dtype) for count in (1 << 10, LARGE_CACHE))
            _prefill(model, large)
            for cache in (small, large):
                _decode(model, cache, max_num_seqs, drafts=drafts)
        if model.uses_kernels:
            _encode(model)
    return sorted(launches.values(), key=lambda launch: launch.name not in LONGEST)


def _cache(model: DeepseekMoeModel, num_blocks: int, dtype: torch.dtype) -> KVCache:
    return KVCache(
        model.spec.decoder,
        num_blocks=num_blocks,
        block_size=BLOCK_SIZE,
        device=META,
        dtype=dtype,
    )


def _prefill(model: DeepseekMoeModel, cache: KVCache) -> None:
    step = PrefillStep(model, cache)
    longest = model.spec.decoder.max_positions
    for count in sorted({min(count, longest) for count in PROMPTS}):
        chunk = Chunk([0] * count, 0, range(-(-count // BLOCK_SIZE)))
        step.hidden(make_batch([chunk], block_size=BLOCK_SIZE, device=META))


def _decode(model: DeepseekMoeModel, cache: KVCache, max_num_seqs: int, *, drafts: bool) -> None:
    positions = model.spec.decoder.max_positions
    state = DecodeState(
        num_slots=max_num_seqs,
        max_positions=positions,
        max_blocks=-(-positions // BLOCK_SIZE),
        exempt=range(NUM_CELLS),
        end=model.spec.decoder.eos_token_id,
        device=META,
        grammar=GRAMMAR if drafts else None,
    )
    step = DecodeStep(model, cache, max_num_seqs)
    if drafts:
        step = _draft(model, cache, state, max_num_seqs)
    for count in sorted({min(bucket, max_num_seqs) for bucket in (*BUCKETS, max_num_seqs)}):
        rows = torch.empty(count, dtype=torch.int32, device=META)
        step.sample(step.scores(rows, state), state, rows)


def _draft(
    model: DeepseekMoeModel, cache: KVCache, state: DecodeState, max_num_seqs: int
) -> DraftStep:
    step = DraftStep(model, cache, max_num_seqs, MAX_DRAFTS)
    for count, num_drafts in draft_sizes(max_num_seqs):
        rows = torch.empty(count, dtype=torch.int32, device=META)
        layout = step.lay_out(rows, state, num_drafts)
        logits = step.draft_scores(layout, state)
        step.keep(step.sample_all(logits, state, layout), state, layout)
    return step


@torch.inference_mode()
def _encode(model: OcrModel) -> None:
    inputs = model.profile_inputs(None)
    for side in (*inputs.common_sides, *inputs.other_sides):
        for count in NUM_VIEWS:
            model.encode(torch.empty(count, side, side, 3, dtype=torch.uint8, device=META))


@contextmanager
def _recording(note: Callable[..., None]) -> Iterator[None]:
    """Replaces the launches of the package's kernels."""
    found = [*_kernels()]
    for kernel in found:
        kernel.run = partial(note, kernel)
    try:
        yield
    finally:
        for kernel in found:
            del kernel.run


def _kernels() -> Iterator[Any]:
    prefix = f"{kernels.__name__}."
    for name, module in [*sys.modules.items()]:
        if name.startswith(prefix):
            for value in vars(module).values():
                if isinstance(value, triton.JITFunction) and value.__module__ == name:
                    yield value


def _key(launch: Launch) -> tuple[Any, ...]:
    """What Triton compiles a variant for: types, constants, and whether a number is 1 or divisible
    by 16."""
    values = dict(zip(launch.kernel.arg_names, launch.arguments, strict=False)) | launch.settings
    fixed = {parameter.name: parameter for parameter in launch.kernel.params}
    return tuple((name, _trait(value, fixed.get(name))) for name, value in sorted(values.items()))


def _trait(value: Any, parameter: Any) -> Any:
    if isinstance(value, Tensor):
        return str(value.dtype), value.data_ptr() % 16 == 0
    if parameter is None or parameter.is_constexpr or not isinstance(value, int):
        return type(value).__name__ if isinstance(value, float) else str(value)
    is_large = value.bit_length() > 31
    if parameter.do_not_specialize:
        return is_large
    return is_large, value == 1, value % 16 == 0


class _OnMeta(TorchFunctionMode):
    """Shapes of the operations that torch does not define for `meta`, or defines by importing its
    compiler, which takes seconds."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        shape = _SHAPES.get(func)
        is_on_meta = shape is not None and isinstance(args[0], Tensor) and args[0].is_meta
        if func is torch.mm and "out_dtype" not in kwargs or not is_on_meta:
            return func(*args, **kwargs)
        assert shape is not None
        return kwargs["out"] if "out" in kwargs else shape(*args, **kwargs)


def _conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, *_: Any
) -> Tensor:
    sides = [
        (side + 2 * pad - kernel) // step + 1
        for side, kernel, step, pad in zip(
            x.shape[2:], weight.shape[2:], stride, padding, strict=True
        )
    ]
    out = x.new_empty(len(x), len(weight), *sides)
    return out.to(memory_format=torch.channels_last)


_SHAPES: dict[Any, Callable[..., Tensor]] = {
    Tensor.cpu: lambda x: torch.zeros(x.shape, dtype=x.dtype),
    torch.mm: lambda a, b, *, out_dtype: a.new_empty(len(a), b.shape[1], dtype=out_dtype),
    F.embedding: lambda tokens, table, **_: table.new_empty(*tokens.shape, table.shape[1]),
    torch.conv2d: _conv2d,
    F.layer_norm: lambda x, *_, **__: torch.empty_like(x),
    F.scaled_dot_product_attention: lambda q, *_, **__: torch.empty_like(q),
}
