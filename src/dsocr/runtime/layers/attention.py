"""Attention in three implementations, selected once, and the paged form that the decoder uses.

`eager` computes the formula in separate operations; `sdpa` calls PyTorch's attention;
`flash_attention_2` calls PyTorch's flash kernel, and `sdpa` where there is a bias or a mask.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from dsocr.runtime.cache.batch import Batch
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.config import AttentionName

_AMPERE = (8, 0)
MAX_GATHERED_TOKENS = 1 << 18
"""Cached tokens, padding included, gathered at once. It bounds the memory of a step."""


def usable_attention(
    requested: AttentionName, *, device: torch.device, dtype: torch.dtype
) -> AttentionName:
    """What was requested, or `sdpa` where PyTorch's flash kernels do not run: in float32, and on
    GPUs before Ampere."""
    if requested != "flash_attention_2":
        return requested
    can_run = (
        device.type == "cuda"
        and dtype in (torch.bfloat16, torch.float16)
        and torch.backends.cuda.is_flash_attention_available()
        and torch.cuda.get_device_capability(device) >= _AMPERE
    )
    return "flash_attention_2" if can_run else "sdpa"


def attend(
    q: Tensor, k: Tensor, v: Tensor, *, kind: AttentionName, bias: Tensor | None = None
) -> Tensor:
    """softmax(q kᵀ / √head_dim + bias) v over (B, heads, T, head_dim); softmax in float32.

    `bias` is broadcast to (B, heads, Tq, Tk): floats to add, or booleans, True where q sees k.
    """
    if kind == "eager":
        return _attend_eager(q, k, v, bias)
    if kind == "flash_attention_2" and bias is None:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return F.scaled_dot_product_attention(q, k, v)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


def attend_causal(q: Tensor, k: Tensor, v: Tensor, *, kind: AttentionName) -> Tensor:
    """`attend` with a causal mask: the last query sees every key, the one before all but the last,
    and so on."""
    num_queries, num_keys = q.shape[-2], k.shape[-2]
    if kind == "eager" or num_queries != num_keys:
        visible = torch.ones(num_queries, num_keys, dtype=torch.bool, device=q.device)
        return attend(q, k, v, kind=kind, bias=visible.tril(num_keys - num_queries))
    if kind == "flash_attention_2":
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def attend_grouped(q: Tensor, k: Tensor, v: Tensor, *, kind: AttentionName, causal: bool) -> Tensor:
    """`attend`, or with `causal` `attend_causal`, of q (B, heads, Tq, head_dim) with fewer heads of
    k and v (B, kv_heads, Tk, head_dim): each serves heads / kv_heads consecutive heads of q."""
    if kind == "flash_attention_2":
        # the operator, because its causal mask is aligned with the last key; that of
        # `F.scaled_dot_product_attention` is aligned with the first
        flash = torch.ops.aten._scaled_dot_product_flash_attention
        attended: Tensor = flash(q, k, v, is_causal=causal)[0]
        return attended
    if kind == "eager":
        k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
        return (attend_causal if causal else attend)(q, k, v, kind=kind)
    visible = None
    if causal:
        visible = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device)
        visible = visible.tril(k.shape[-2] - q.shape[-2])
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, enable_gqa=True)


def attend_paged(
    q: Tensor,
    cache: KVCache,
    layer: int,
    batch: Batch,
    *,
    kind: AttentionName,
    window: int | None = None,
) -> Tensor:
    """q (T, heads, head_dim) of all sequences, each against its own cached tokens; same shape out.

    The step's keys and values must be in the cache already. With a window a query attends to the
    prompt and to the last `window` tokens, itself included.
    """
    parts = []
    if batch.num_decodes:
        decoding = q[: batch.num_decodes]
        parts.append(_attend_decodes(decoding, cache, layer, batch, kind=kind, window=window))
    for sequence in range(batch.num_decodes, batch.num_sequences):
        start, end = batch.query_starts[sequence : sequence + 2]
        length = batch.context_lens_host[sequence]
        num_blocks = -(-length // cache.block_size)
        k, v = cache.gather(
            layer, batch.block_tables[sequence : sequence + 1, :num_blocks], q.dtype
        )
        heads = (x.transpose(1, 2) for x in (q[None, start:end], k[:, :length], v[:, :length]))
        prompt = batch.prompt_lens_host[sequence]
        if window is None or length <= prompt + window:
            attended = attend_causal(*heads, kind=kind)
        else:
            attended = attend_windowed(*heads, kind=kind, prompt=prompt, window=window)
        parts.append(attended.transpose(1, 2).squeeze(0))
    return torch.cat(parts)


def attend_windowed(
    q: Tensor, k: Tensor, v: Tensor, *, kind: AttentionName, prompt: int, window: int
) -> Tensor:
    """`attend_causal`, but of the keys from `prompt` on a query sees the last `window` alone. Keys
    that no query sees may hold any value."""
    num_queries, num_keys = q.shape[-2], k.shape[-2]
    key = torch.arange(num_keys, device=q.device)
    query = key[num_keys - num_queries :, None]
    visible = (key <= query) & ((key < prompt) | (key > query - window))
    hidden = ~visible.any(0)[:, None]
    k, v = (x.masked_fill(hidden, 0.0) for x in (k, v))  # 0 * NaN is NaN
    return attend(q, k, v, kind=kind, bias=visible)


def _attend_decodes(
    q: Tensor,
    cache: KVCache,
    layer: int,
    batch: Batch,
    *,
    kind: AttentionName,
    window: int | None,
) -> Tensor:
    """Attention of the first `num_decodes` sequences, one token each, without synchronization."""
    tables, lengths = batch.block_tables, batch.context_lens
    size = max(1, MAX_GATHERED_TOKENS // (tables.shape[1] * cache.block_size))
    parts = []
    for start in range(0, batch.num_decodes, size):
        rows = slice(start, min(start + size, batch.num_decodes))
        k, v = cache.gather(layer, tables[rows], q.dtype)
        key = torch.arange(k.shape[1], device=q.device)
        visible = key < lengths[rows, None]
        if window is not None:
            recent = key >= lengths[rows, None] - window
            visible &= recent | (key < batch.prompt_lens[rows, None])
        for x in (k, v):  # slots of an earlier page may hold NaN, and 0 * NaN is NaN
            x.masked_fill_(~visible[:, :, None, None], 0.0)
        attended = attend(
            q[rows].unsqueeze(2),  # (N, heads, 1, head_dim)
            k.transpose(1, 2),
            v.transpose(1, 2),
            kind=kind,
            bias=visible[:, None, None, :],  # (N, 1, 1, max tokens)
        )
        parts.append(attended.squeeze(2))
    return torch.cat(parts)


def _attend_eager(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    # q is scaled before the product, which could overflow float16
    scores = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).float()
    if bias is not None and bias.dtype == torch.bool:
        scores = scores.masked_fill(~bias, float("-inf"))
    elif bias is not None:
        scores = scores + bias
    return scores.softmax(-1).to(v.dtype) @ v
