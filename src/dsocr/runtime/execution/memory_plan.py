"""Plans the device's memory: the size of the KV cache is fixed at the start, so that the device
cannot run out of memory however many pages arrive.

The memory that a step needs besides the cache is measured by running the largest possible step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch

from dsocr.runtime.cache.batch import Chunk, PageViews, make_batch
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import DeviceError, choose_cache_dtype, is_out_of_memory
from dsocr.runtime.execution.decode_step import can_decode
from dsocr.runtime.execution.prefill_step import PrefillStep
from dsocr.runtime.layers.attention import MAX_GATHERED_TOKENS
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.preprocess import num_image_tokens

MAX_SEQS = 256
"""Default number of sequences on a GPU; more do not raise the throughput."""
MAX_SEQS_ELSEWHERE = 4
MIN_TOKENS_PER_PAGE = 1024
"""Cache tokens per sequence, at least: a full page with its image has more."""
MARGIN = 1.25
"""Factor on the measured memory, for the allocator's fragmentation."""
PROMPT_TOKENS = 913
"""Of a single gundam page, the most common prompt: run so that its kernels are loaded."""
FIXED_BYTES = 512 << 20
"""Memory that libraries and graphs keep."""
HOW_TO_SAVE_MEMORY = (
    "DEEPSEEK_OCR_RUNTIME__EXPERT_DTYPE=int8 needs 2.4 GB less for the weights, "
    "DEEPSEEK_OCR_RUNTIME__CACHE_DTYPE=fp8 half for the context."
)

PREFILL_TOKENS, PREFILL_TOKENS_LARGE = 2048, 8192
"""Prompt tokens of a step by default. A large GPU is limited by the host with fewer."""
LARGE_BYTES = 16 << 30
"""A GPU with this much free after loading the weights is large."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """How the device's memory is used."""

    max_num_seqs: int
    cache_tokens: int
    cache_dtype: torch.dtype
    max_prefill_tokens: int
    reserve_bytes: int | None
    """Left to everything but weights and cache; None where memory is not measured."""


def plan_memory(model: DeepseekOcr, config: RuntimeConfig) -> MemoryPlan:
    """Fills in what the config leaves open, from the memory that is free after loading the weights.
    Raises `DeviceError` where not even one page fits, or fp8 is not available."""
    context = model.spec.decoder.max_positions
    cache_dtype = choose_cache_dtype(
        config.cache_dtype,
        dtype=model.dtype,
        device=model.device,
        kernels=config.kernels and can_decode(model),
        head_dim=model.spec.decoder.head_dim,
    )
    if model.device.type != "cuda":
        max_num_seqs = config.max_num_seqs or MAX_SEQS_ELSEWHERE
        prefill = config.max_prefill_tokens or PREFILL_TOKENS
        return MemoryPlan(
            max_num_seqs,
            max(context, config.cache_tokens or 2 * context),
            cache_dtype,
            prefill,
            None,
        )
    max_num_seqs = config.max_num_seqs or MAX_SEQS
    if config.max_prefill_tokens is None:
        free, _ = torch.cuda.mem_get_info(model.device)
        prefill = PREFILL_TOKENS_LARGE if free >= LARGE_BYTES else PREFILL_TOKENS
        config = replace(config, max_prefill_tokens=prefill)
    reserve = config.memory_reserve_mb
    reserve_bytes = (
        profile_run(model, config, max_num_seqs, cache_dtype)
        if reserve is None
        else int(reserve * (1 << 20))
    )
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(model.device)
    usable = int(free * config.memory_share)
    token_bytes = KVCache.bytes_per_token(model.spec.decoder, cache_dtype)
    tokens = fitting_tokens(usable, reserve_bytes, token_bytes, context)
    requested = config.cache_tokens or max_num_seqs * context
    tokens = min(tokens, max(context, requested))
    if config.max_num_seqs is None:
        max_num_seqs = max(1, min(max_num_seqs, tokens // MIN_TOKENS_PER_PAGE))
    return MemoryPlan(
        max_num_seqs,
        tokens,
        cache_dtype,
        config.max_prefill_tokens or PREFILL_TOKENS,
        reserve_bytes,
    )


def fitting_tokens(usable_bytes: int, reserve_bytes: int, token_bytes: int, context: int) -> int:
    """Tokens that fit besides the reserve, one context at least. A device too small for both is
    used without a reserve: steps that do not fit are then split."""
    tokens = (usable_bytes - reserve_bytes) // token_bytes
    if tokens >= context:
        return tokens
    if usable_bytes < context * token_bytes:
        raise DeviceError(
            f"Besides the weights the device has {usable_bytes >> 20} MiB to use; the model's "
            f"context of {context} tokens takes {context * token_bytes >> 20}. {HOW_TO_SAVE_MEMORY}"
        )
    return context


def profile_run(
    model: DeepseekOcr, config: RuntimeConfig, max_num_seqs: int, cache_dtype: torch.dtype
) -> int:
    """Runs the largest step; returns the bytes needed besides weights and cache: by that step, and
    for the features of encoded pages. They include the small cache of this run."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(model.device)
    before = torch.cuda.memory_allocated(model.device)
    try:
        features = profile_steps(model, config, max_num_seqs, cache_dtype)
        torch.cuda.synchronize(model.device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        # a small device: reserve all memory but one context's cache
        return torch.cuda.mem_get_info(model.device)[1]
    peak = torch.cuda.max_memory_allocated(model.device) - before
    torch.cuda.empty_cache()
    return int(peak * MARGIN) + FIXED_BYTES + 2 * max_num_seqs * features


def profile_steps(
    model: DeepseekOcr, config: RuntimeConfig, max_num_seqs: int, cache_dtype: torch.dtype
) -> int:
    """Encodes, prefills and decodes; returns the bytes of one page's features. With kernels decode
    steps run as prompts of one token: the memory of graphs is in `FIXED_BYTES`."""
    tiles = _gray_view(640).expand(config.max_tiles, -1, -1, -1)
    page = PageViews(_gray_view(1024), tiles, (1, config.max_tiles))
    for side in (1024, 640):  # the largest pass of each side
        model.encode([PageViews(_gray_view(side))] * max(1, model.pass_pixels // side**2))
    # a single view of each other side: on a small GPU 1280 is the largest pass of all. It loads
    # their kernels, and requests their graphs
    for side in (512, 1280):
        model.encode([PageViews(_gray_view(side))])
    step_tokens = config.max_prefill_tokens or PREFILL_TOKENS
    longest = min(step_tokens, model.spec.decoder.max_positions)
    length = min(model.spec.decoder.max_positions, MAX_GATHERED_TOKENS // max_num_seqs)
    num_blocks = -(-max(longest, length) // BLOCK_SIZE)
    cache = KVCache(
        model.spec.decoder,
        num_blocks=num_blocks,
        block_size=BLOCK_SIZE,
        device=model.device,
        dtype=cache_dtype,
    )
    table = list(range(num_blocks))
    kernels = config.kernels and can_decode(model)
    forward = PrefillStep(model, cache).hidden if kernels else partial(model.forward, cache=cache)
    # all write to the same blocks: only the number of tokens matters
    prompts = [Chunk([0] * count, 0, table) for count in largest_prompts(step_tokens, longest)]
    common = Chunk([0] * min(longest, PROMPT_TOKENS), 0, table)
    token = Chunk([0], length - 1, table)
    for chunks in (prompts, [common], [token] * max_num_seqs):
        batch = make_batch(chunks, block_size=BLOCK_SIZE, device=model.device)
        model.logits(forward(batch)[-max_num_seqs:]).logsumexp(dim=-1)
    width = model.spec.decoder.hidden_size
    return num_image_tokens(page) * width * model.dtype.itemsize


def largest_prompts(num_tokens: int, context: int) -> list[int]:
    """Lengths of as few prompts as have that many tokens in all."""
    whole, rest = divmod(num_tokens, context)
    return [context] * whole + [rest] * (rest > 0)


def _gray_view(side: int) -> torch.Tensor:
    return torch.full((side, side, 3), 127, dtype=torch.uint8)
