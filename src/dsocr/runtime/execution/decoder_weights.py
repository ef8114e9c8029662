"""The decoder's weights as the kernels want them. The modules keep theirs: both are views of the
same memory. What lies apart is copied together once, a layer at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.kernels.experts import ExpertWeights
from dsocr.runtime.layers.moe import MoE, SwiGLU
from dsocr.runtime.models.deepseek_moe import DecoderLayer
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer's."""

    blocks: Tensor  # (2, blocks, block_size, heads, head_dim)
    attention_norm: Tensor
    qkv: Tensor  # (3 * hidden, hidden)
    out: Tensor  # (hidden, hidden)
    experts_norm: Tensor
    experts: ExpertWeights
    gate_up: Tensor  # (2 * width, hidden) of the dense layer, or of the shared experts
    router: Tensor | None  # (experts, hidden); None in a dense layer


def layer_weights(model: DeepseekOcr, cache: KVCache) -> list[LayerWeights]:
    width = model.spec.decoder.expert_width
    return [
        _of(layer, cache.blocks[number], width) for number, layer in enumerate(model.decoder.layers)
    ]


def rotation_tables(model: DeepseekOcr) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every position, each (positions, head_dim)."""
    places = torch.arange(model.spec.decoder.max_positions, device=model.device)
    cosine, sine = model.decoder.rotary(places, model.dtype)
    return cosine.squeeze(1).contiguous(), sine.squeeze(1).contiguous()


def _of(layer: nn.Module, blocks: Tensor, width: int) -> LayerWeights:
    assert isinstance(layer, DecoderLayer)
    attention, mlp = layer.self_attn, layer.mlp
    every = mlp.shared_experts if isinstance(mlp, MoE) else mlp
    assert isinstance(every, SwiGLU)
    gate_up = side_by_side(every.gate_proj, every.up_proj)
    gate, up = gate_up.chunk(2)
    experts = ExpertWeights(gate, up, every.down_proj.weight, width=len(gate))
    if isinstance(mlp, MoE):
        experts = ExpertWeights(
            *(gate, up, every.down_proj.weight, width, mlp.experts.w13, mlp.experts.w2),
            num_chosen=mlp.gate.num_chosen,
            normalize=mlp.gate.normalize,
            scale=mlp.gate.scale,
            scale13=mlp.experts.scale13,
            scale2=mlp.experts.scale2,
        )
    return LayerWeights(
        blocks=blocks,
        attention_norm=layer.input_layernorm.weight,
        qkv=side_by_side(attention.q_proj, attention.k_proj, attention.v_proj),
        out=attention.o_proj.weight,
        experts_norm=layer.post_attention_layernorm.weight,
        experts=experts,
        gate_up=gate_up,
        router=mlp.gate.weight if isinstance(mlp, MoE) else None,
    )


def side_by_side(*linears: nn.Linear) -> Tensor:
    """Their weights (outputs, inputs) over one another in one piece of memory, of which each keeps
    its part. Those that lie so already stay where they are."""
    weights: list[Tensor] = [linear.weight for linear in linears]
    if _adjoin(weights):
        rows, first = sum(map(len, weights)), weights[0]
        return first.as_strided((rows, first.shape[1]), first.stride(), first.storage_offset())
    together = torch.cat(weights)
    for linear, part in zip(linears, torch.split(together, [*map(len, weights)]), strict=True):
        linear.weight.data = part
    return together


def _adjoin(weights: list[Tensor]) -> bool:
    ends = [one.data_ptr() + one.numel() * one.element_size() for one in weights]
    owners = {one.untyped_storage().data_ptr() for one in weights}
    return len(owners) == 1 and ends[:-1] == [one.data_ptr() for one in weights[1:]]
