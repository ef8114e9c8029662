"""How many tokens the cache may hold: fixed at the start, so that no number of pages can run the
device out of memory.

What a step needs beside the cache is measured by rehearsing the largest one there can be.
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
"""Pages that run at once on a GPU, unless told otherwise; more bring nothing."""
MAX_SEQS_ELSEWHERE = 4
TOKENS_A_PAGE = 1024
"""A full page of text with its picture has more: less cache than this for each is no use."""
MARGIN = 1.25
"""Of what was measured: the allocator's splinters."""
PROMPT_TOKENS = 913
"""Of a gundam page that comes alone: the commonest size, so that its kernels are loaded."""
FIXED_BYTES = 512 << 20
"""What libraries and graphs keep for themselves."""
HOW_TO_NEED_LESS = (
    "DEEPSEEK_OCR_RUNTIME__EXPERT_DTYPE=int8 needs 2.4 GB less for the weights, "
    "DEEPSEEK_OCR_RUNTIME__CACHE_DTYPE=fp8 half for the context."
)

PREFILL_TOKENS, PREFILL_TOKENS_LARGE = 2048, 8192
"""Of a step: many keep a large GPU busier than the host that feeds it."""
LARGE_BYTES = 16 << 30
"""A GPU with so much free beside the weights is large."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What there is room for."""

    max_num_seqs: int
    cache_tokens: int
    cache_dtype: torch.dtype
    max_prefill_tokens: int
    reserve_bytes: int | None
    """Left to everything but weights and cache; None where the device's memory is not counted."""


def plan_memory(model: DeepseekOcr, config: RuntimeConfig) -> MemoryPlan:
    """Fills in what the config leaves open, from the memory that is free now that the weights are
    loaded. Raises `DeviceError` where not even one page fits, or fp8 is not to be had."""
    context = model.spec.decoder.max_positions
    kept = choose_cache_dtype(
        config.cache_dtype,
        dtype=model.dtype,
        device=model.device,
        kernels=config.kernels and can_decode(model),
        head_dim=model.spec.decoder.head_dim,
    )
    if model.device.type != "cuda":
        seats = config.max_num_seqs or MAX_SEQS_ELSEWHERE
        prefill = config.max_prefill_tokens or PREFILL_TOKENS
        return MemoryPlan(
            seats, max(context, config.cache_tokens or 2 * context), kept, prefill, None
        )
    seats = config.max_num_seqs or MAX_SEQS
    if config.max_prefill_tokens is None:
        free, _ = torch.cuda.mem_get_info(model.device)
        prefill = PREFILL_TOKENS_LARGE if free >= LARGE_BYTES else PREFILL_TOKENS
        config = replace(config, max_prefill_tokens=prefill)
    reserve = config.memory_reserve_mb
    reserve_bytes = (
        profile_run(model, config, seats, kept) if reserve is None else int(reserve * (1 << 20))
    )
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(model.device)
    usable = int(free * config.memory_share)
    token_bytes = KVCache.bytes_per_token(model.spec.decoder, kept)
    tokens = fitting_tokens(usable, reserve_bytes, token_bytes, context)
    wished = config.cache_tokens or seats * context
    tokens = min(tokens, max(context, wished))
    if config.max_num_seqs is None:
        seats = max(1, min(seats, tokens // TOKENS_A_PAGE))
    return MemoryPlan(
        seats, tokens, kept, config.max_prefill_tokens or PREFILL_TOKENS, reserve_bytes
    )


def fitting_tokens(usable_bytes: int, reserve_bytes: int, token_bytes: int, context: int) -> int:
    """Tokens that fit beside the reserve, a whole context at least. A device too small for both is
    used without a reserve: a step that does not fit is then computed in parts."""
    tokens = (usable_bytes - reserve_bytes) // token_bytes
    if tokens >= context:
        return tokens
    if usable_bytes < context * token_bytes:
        raise DeviceError(
            f"Beside the weights the device has {usable_bytes >> 20} MiB to use; the model's "
            f"context of {context} tokens takes {context * token_bytes >> 20}. {HOW_TO_NEED_LESS}"
        )
    return context


def profile_run(
    model: DeepseekOcr, config: RuntimeConfig, seats: int, cache_dtype: torch.dtype
) -> int:
    """Bytes that the largest step needs beside weights and cache, and pictures that wait. The small
    cache that it is rehearsed with is among them."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(model.device)
    before = torch.cuda.memory_allocated(model.device)
    try:
        features = profile_steps(model, config, seats, cache_dtype)
        torch.cuda.synchronize(model.device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        # a small device: all that one page's cache leaves is needed
        return torch.cuda.mem_get_info(model.device)[1]
    peak = torch.cuda.max_memory_allocated(model.device) - before
    torch.cuda.empty_cache()
    return int(peak * MARGIN) + FIXED_BYTES + 2 * seats * features


def profile_steps(
    model: DeepseekOcr, config: RuntimeConfig, seats: int, cache_dtype: torch.dtype
) -> int:
    """Encodes, prefills and decodes (kernels as if prompts had one token: what graphs keep is in
    `FIXED_BYTES`); returns the bytes of one page's features."""
    tiles = _grey(640).expand(config.max_tiles, -1, -1, -1)
    page = PageViews(_grey(1024), tiles, (1, config.max_tiles))
    for side in (1024, 640):  # the largest pass of each
        model.encode([PageViews(_grey(side))] * max(1, model.pass_pixels // side**2))
    # one of each other side: on a small card 1280 is the largest pass of all. Each has kernels to
    # be loaded, and its graph is made as soon as there is a quiet moment
    for side in (512, 1280):
        model.encode([PageViews(_grey(side))])
    wanted = config.max_prefill_tokens or PREFILL_TOKENS
    most = min(wanted, model.spec.decoder.max_positions)
    length = min(model.spec.decoder.max_positions, MAX_GATHERED_TOKENS // seats)
    num_blocks = -(-max(most, length) // BLOCK_SIZE)
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
    # all in one place: only their number counts
    prompts = [Chunk([0] * count, 0, table) for count in largest_prompts(wanted, most)]
    lone = Chunk([0] * min(most, PROMPT_TOKENS), 0, table)
    token = Chunk([0], length - 1, table)
    for chunks in (prompts, [lone], [token] * seats):
        batch = make_batch(chunks, block_size=BLOCK_SIZE, device=model.device)
        model.logits(forward(batch)[-seats:]).logsumexp(dim=-1)
    width = model.spec.decoder.hidden_size
    return num_image_tokens(page) * width * model.dtype.itemsize


def largest_prompts(num_tokens: int, context: int) -> list[int]:
    """Lengths of as few prompts as come to so many tokens."""
    whole, rest = divmod(num_tokens, context)
    return [context] * whole + [rest] * (rest > 0)


def _grey(side: int) -> torch.Tensor:
    return torch.full((side, side, 3), 127, dtype=torch.uint8)
