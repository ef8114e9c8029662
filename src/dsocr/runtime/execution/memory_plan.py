"""Plans the device's memory: the size of the KV cache is fixed at the start, so that the device
cannot run out of memory however many pages arrive.

The memory that a step needs besides the cache is measured by running the largest possible step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch

from dsocr.runtime.cache.batch import Batch, Chunk, PageViews, make_batch
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import DeviceError, choose_cache_dtype, is_out_of_memory
from dsocr.runtime.execution.decode_step import can_decode
from dsocr.runtime.execution.prefill_step import PrefillStep
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.layers.attention import MAX_GATHERED_TOKENS
from dsocr.runtime.models.family import OcrModel, ProfileInputs
from dsocr.runtime.scheduling.preprocess import gray_view

MAX_SEQS = 256
"""Default number of sequences on a GPU; more do not raise the throughput."""
MAX_SEQS_ELSEWHERE = 4
MIN_TOKENS_PER_PAGE = 1024
"""Cache tokens per sequence, at least: a full page with its image has more."""
MARGIN = 1.25
"""Factor on the measured memory, for the allocator's fragmentation."""
FIXED_BYTES = 512 << 20
"""Memory that libraries and graphs keep."""
HOW_TO_SAVE_MEMORY = (
    "DEEPSEEK_OCR_RUNTIME__EXPERT_DTYPE=int8 needs a third less for the weights, "
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


def plan_memory(
    model: OcrModel, vision: VisionRunner, config: RuntimeConfig, *, max_draft_tokens: int = 0
) -> MemoryPlan:
    """Fills in what the config leaves open, from the memory that is free after loading the weights.
    A step has rows of logits for `max_draft_tokens` besides one for each sequence. Raises
    `DeviceError` where not even one page fits, or fp8 is not available."""
    cache_dtype = choose_cache_dtype(
        config.cache_dtype,
        dtype=model.dtype,
        device=model.device,
        kernels=config.kernels and can_decode(model),
        head_dim=model.spec.decoder.head_dim,
    )
    if model.device.type == "cuda":
        return _plan_gpu(model, vision, config, cache_dtype, max_draft_tokens)
    context = model.spec.decoder.max_positions
    return MemoryPlan(
        max_num_seqs=config.max_num_seqs or MAX_SEQS_ELSEWHERE,
        cache_tokens=max(context, config.cache_tokens or 2 * context),
        cache_dtype=cache_dtype,
        max_prefill_tokens=config.max_prefill_tokens or PREFILL_TOKENS,
        reserve_bytes=None,
    )


def _plan_gpu(
    model: OcrModel,
    vision: VisionRunner,
    config: RuntimeConfig,
    cache_dtype: torch.dtype,
    max_draft_tokens: int,
) -> MemoryPlan:
    context = model.spec.decoder.max_positions
    max_num_seqs = config.max_num_seqs or MAX_SEQS
    prefill_tokens = config.max_prefill_tokens or _prefill_tokens(model.device)
    if config.memory_reserve_mb is None:
        config = replace(config, max_prefill_tokens=prefill_tokens)
        profile = Profile(model, vision, config, max_num_seqs, cache_dtype, max_draft_tokens)
        reserve_bytes = profile.run()
    else:
        reserve_bytes = int(config.memory_reserve_mb * (1 << 20))
    torch.cuda.empty_cache()
    usable = int(_free_bytes(model.device) * config.memory_share)
    token_bytes = KVCache.bytes_per_token(model.spec.decoder, cache_dtype)
    tokens = fitting_tokens(usable, reserve_bytes, token_bytes, context)
    tokens = min(tokens, max(context, config.cache_tokens or max_num_seqs * context))
    if config.max_num_seqs is None:
        max_num_seqs = max(1, min(max_num_seqs, tokens // MIN_TOKENS_PER_PAGE))
    return MemoryPlan(max_num_seqs, tokens, cache_dtype, prefill_tokens, reserve_bytes)


def _prefill_tokens(device: torch.device) -> int:
    return PREFILL_TOKENS_LARGE if _free_bytes(device) >= LARGE_BYTES else PREFILL_TOKENS


def _free_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0]


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


@dataclass(frozen=True, slots=True)
class Profile:
    """A run of the largest steps, which measures the memory that they need."""

    model: OcrModel
    vision: VisionRunner
    config: RuntimeConfig
    max_num_seqs: int
    cache_dtype: torch.dtype
    max_draft_tokens: int = 0

    def run(self) -> int:
        """Bytes needed besides weights and cache: by the largest step, and for the features of
        encoded pages. They include the small cache of this run."""
        device = self.model.device
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        try:
            features = self.run_steps()
            torch.cuda.synchronize(device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            # a small device: reserve all memory but one context's cache
            return torch.cuda.mem_get_info(device)[1]
        peak = torch.cuda.max_memory_allocated(device) - before
        torch.cuda.empty_cache()
        return int(peak * MARGIN) + FIXED_BYTES + 2 * self.max_num_seqs * features

    def run_steps(self) -> int:
        """Encodes, prefills and decodes; returns the bytes of one page's features. With kernels
        decode steps run as prompts of one token: the memory of graphs is in `FIXED_BYTES`."""
        inputs = self.model.profile_inputs(self.config.max_tiles)
        self._encode(inputs)
        decoder = self.model.spec.decoder
        step_tokens = self.config.max_prefill_tokens or PREFILL_TOKENS
        longest = min(step_tokens, decoder.max_positions)
        length = min(decoder.max_positions, MAX_GATHERED_TOKENS // self.max_num_seqs)
        num_blocks = -(-max(longest, length) // BLOCK_SIZE)
        table = list(range(num_blocks))
        # all write to the same blocks: only the number of tokens matters
        prompts = [Chunk([0] * count, 0, table) for count in largest_prompts(step_tokens, longest)]
        common = Chunk([0] * min(longest, inputs.prompt_tokens), 0, table)
        token = Chunk([0], length - 1, table)
        self._decode(num_blocks, [prompts, [common], [token] * self.max_num_seqs])
        num_image_tokens = self.model.num_image_tokens(inputs.page)
        return num_image_tokens * decoder.hidden_size * self.model.dtype.itemsize

    def _encode(self, inputs: ProfileInputs) -> None:
        vision = self.vision
        for side in inputs.common_sides:  # the largest pass of each side
            vision.encode([PageViews(gray_view(side))] * max(1, vision.pass_pixels // side**2))
        # a single view of each other side: on a small GPU the largest of them is the largest pass
        # of all. It loads their kernels, and requests their graphs
        for side in inputs.other_sides:
            vision.encode([PageViews(gray_view(side))])

    def _decode(self, num_blocks: int, steps: list[list[Chunk]]) -> None:
        model = self.model
        cache = KVCache(
            model.spec.decoder,
            num_blocks=num_blocks,
            block_size=BLOCK_SIZE,
            device=model.device,
            dtype=self.cache_dtype,
        )
        forward: Callable[[Batch], torch.Tensor] = partial(model.forward, cache=cache)
        if self.config.kernels and can_decode(model):
            forward = PrefillStep(model, cache).hidden
        rows = self.max_num_seqs + self.max_draft_tokens
        for chunks in steps:
            batch = make_batch(chunks, block_size=BLOCK_SIZE, device=model.device)
            model.logits(forward(batch)[-rows:]).logsumexp(dim=-1)


def largest_prompts(num_tokens: int, context: int) -> list[int]:
    """Lengths of as few prompts as have that many tokens in all."""
    whole, rest = divmod(num_tokens, context)
    return [context] * whole + [rest] * (rest > 0)
