"""Attention: three ways to compute one thing, chosen once, and the paged form the decoder uses.

`eager` spells the formula out; `sdpa` leaves it to PyTorch; `flash_attention_2` asks PyTorch for
its flash kernel and falls back to `sdpa` where that kernel cannot do it (a bias or a mask).
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
"""Cached tokens, padding included, that are gathered at once; it bounds the memory of a step."""


def usable_attention(
    wish: AttentionName, *, device: torch.device, dtype: torch.dtype
) -> AttentionName:
    """The wish, or `sdpa` where PyTorch's flash kernels do not run: no Ampere GPU, float32."""
    if wish != "flash_attention_2":
        return wish
    can = (
        device.type == "cuda"
        and dtype in (torch.bfloat16, torch.float16)
        and torch.backends.cuda.is_flash_attention_available()
        and torch.cuda.get_device_capability(device) >= _AMPERE
    )
    return "flash_attention_2" if can else "sdpa"


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
    """`attend` where the last query sees every key, the one before it all but the last, ..."""
    num_queries, num_keys = q.shape[-2], k.shape[-2]
    if kind == "eager" or num_queries != num_keys:
        visible = torch.ones(num_queries, num_keys, dtype=torch.bool, device=q.device)
        return attend(q, k, v, kind=kind, bias=visible.tril(num_keys - num_queries))
    if kind == "flash_attention_2":
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def attend_paged(
    q: Tensor, cache: KVCache, layer: int, batch: Batch, *, kind: AttentionName
) -> Tensor:
    """q (T, heads, head_dim) of all sequences against their own cached tokens; same shape back.

    The step's keys and values must be in the cache already.
    """
    parts = []
    if batch.num_decodes:
        parts.append(_attend_decodes(q[: batch.num_decodes], cache, layer, batch, kind=kind))
    for sequence in range(batch.num_decodes, batch.num_sequences):
        start, end = batch.query_starts[sequence : sequence + 2]
        length = batch.context_lens_host[sequence]
        num_blocks = -(-length // cache.block_size)
        k, v = cache.gather(
            layer, batch.block_tables[sequence : sequence + 1, :num_blocks], q.dtype
        )
        attended = attend_causal(
            q[start:end].unsqueeze(0).transpose(1, 2),
            k[:, :length].transpose(1, 2),
            v[:, :length].transpose(1, 2),
            kind=kind,
        )
        parts.append(attended.transpose(1, 2).squeeze(0))
    return torch.cat(parts)


def _attend_decodes(
    q: Tensor, cache: KVCache, layer: int, batch: Batch, *, kind: AttentionName
) -> Tensor:
    """One token each of the first sequences, together: no host values, no syncs."""
    tables, lengths = batch.block_tables, batch.context_lens
    together = max(1, MAX_GATHERED_TOKENS // (tables.shape[1] * cache.block_size))
    parts = []
    for start in range(0, batch.num_decodes, together):
        rows = slice(start, min(start + together, batch.num_decodes))
        k, v = cache.gather(layer, tables[rows], q.dtype)
        visible = torch.arange(k.shape[1], device=q.device) < lengths[rows, None]
        for x in (k, v):  # what an earlier page left may be NaN, which no weight of 0 takes away
            x.masked_fill_(~visible[:, :, None, None], 0.0)
        attended = attend(
            q[rows].unsqueeze(2),  # (N, heads, 1, head_dim)
            k.transpose(1, 2),
            v.transpose(1, 2),
            kind=kind,
            bias=visible[:, None, None, :],  # (N, 1, 1, most tokens)
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
