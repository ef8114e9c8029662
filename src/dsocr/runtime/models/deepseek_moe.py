"""The decoder (spec 5): pre-norm layers, rotary multi-head attention, dense MLPs, then experts."""

from __future__ import annotations

from torch import Tensor, nn

from dsocr.runtime.cache.batch import Batch
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.config import AttentionName
from dsocr.runtime.layers.attention import attend_paged
from dsocr.runtime.layers.moe import MoE, SwiGLU
from dsocr.runtime.layers.norm import RMSNorm
from dsocr.runtime.layers.rotary import Rotary, rotate
from dsocr.runtime.spec import DecoderSpec


class Attention(nn.Module):
    """Causal attention over the paged cache, with the spec's window over the output. No biases, no
    grouped heads."""

    def __init__(self, spec: DecoderSpec, layer: int, kind: AttentionName) -> None:
        super().__init__()
        hidden = spec.hidden_size
        self.layer, self.kind, self.window = layer, kind, spec.window
        self.heads = (spec.num_heads, spec.head_dim)
        self.q_proj = nn.Linear(hidden, hidden, bias=False)
        self.k_proj = nn.Linear(hidden, hidden, bias=False)
        self.v_proj = nn.Linear(hidden, hidden, bias=False)
        self.o_proj = nn.Linear(hidden, hidden, bias=False)

    def forward(
        self, x: Tensor, rotation: tuple[Tensor, Tensor], batch: Batch, cache: KVCache
    ) -> Tensor:
        q = rotate(self.q_proj(x).unflatten(-1, self.heads), *rotation)  # (T, heads, head_dim)
        k = rotate(self.k_proj(x).unflatten(-1, self.heads), *rotation)
        v = self.v_proj(x).unflatten(-1, self.heads)
        cache.write(self.layer, k, v, batch.slots)
        attended = attend_paged(*(q, cache, self.layer, batch), kind=self.kind, window=self.window)
        return self.o_proj(attended.flatten(-2))


class DecoderLayer(nn.Module):
    def __init__(self, spec: DecoderSpec, layer: int, kind: AttentionName) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(spec.hidden_size, spec.rms_norm_eps)
        self.self_attn = Attention(spec, layer, kind)
        self.post_attention_layernorm = RMSNorm(spec.hidden_size, spec.rms_norm_eps)
        dense = layer < spec.num_dense_layers
        self.mlp = SwiGLU(spec.hidden_size, spec.dense_width) if dense else MoE(spec)

    def forward(
        self, x: Tensor, rotation: tuple[Tensor, Tensor], batch: Batch, cache: KVCache
    ) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rotation, batch, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class DeepseekMoe(nn.Module):
    """Token ids to hidden states; image features replace the embeddings of placeholders."""

    def __init__(self, spec: DecoderSpec, kind: AttentionName) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(spec.vocab_size, spec.hidden_size)
        self.layers = nn.ModuleList(
            DecoderLayer(spec, layer, kind) for layer in range(spec.num_layers)
        )
        self.norm = RMSNorm(spec.hidden_size, spec.rms_norm_eps)
        self.rotary = Rotary(spec.head_dim, max_positions=spec.max_positions, theta=spec.rope_theta)

    def forward(self, batch: Batch, cache: KVCache) -> Tensor:
        """Hidden states after the final norm, (T, hidden)."""
        x = self.embed_tokens(batch.input_ids)
        if batch.features is not None and batch.feature_rows is not None:
            x[batch.feature_rows] = batch.features.to(x.dtype)  # in order, prefill only (spec 4)
        rotation = self.rotary(batch.positions, x.dtype)
        for layer in self.layers:
            x = layer(x, rotation, batch, cache)
        return self.norm(x)
