"""The decoder's weights in the layout of the kernels.

Kernels and modules share memory: matrices that kernels read as one are concatenated once, a layer
at a time, and the modules' weights become views of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.kernels.experts import ExpertWeights
from dsocr.runtime.layers.moe import MoE, SwiGLU
from dsocr.runtime.models.deepseek_moe import DecoderLayer, DeepseekMoe
from dsocr.runtime.models.family import OcrModel
from dsocr.runtime.spec import DecoderSpec, FamilySpec


class DeepseekMoeSpec(FamilySpec, Protocol):
    @property
    def decoder(self) -> DecoderSpec: ...


class DeepseekMoeModel(OcrModel, Protocol):
    """A model of any family whose decoder is `DeepseekMoe`, which the decoder kernels compute."""

    @property
    def spec(self) -> DeepseekMoeSpec: ...

    @property
    def decoder(self) -> DeepseekMoe: ...

    @property
    def lm_head(self) -> nn.Linear: ...


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """The weights of one layer and its part of the KV cache."""

    blocks: Tensor  # (2, blocks, block_size, heads, head_dim)
    attention_norm: Tensor
    qkv: Tensor  # (3 * hidden, hidden)
    out: Tensor  # (hidden, hidden)
    experts_norm: Tensor
    experts: ExpertWeights
    gate_up: Tensor  # (2 * width, hidden) of the dense layer, or of the shared experts
    router: Tensor | None  # (experts, hidden); None in a dense layer


def layer_weights(model: DeepseekMoeModel, cache: KVCache) -> list[LayerWeights]:
    width = model.spec.decoder.expert_width
    return [
        _weights_of(layer, cache.blocks[number], width)
        for number, layer in enumerate(model.decoder.layers)
    ]


def join_weights(model: DeepseekMoeModel) -> frozenset[int]:
    """Concatenates the matrices that kernels read as one, before the weights are filled. Returns
    the addresses of the memory of the decoder and of the output layer."""
    for layer in model.decoder.layers:
        assert isinstance(layer, DecoderLayer)
        attention, shared = layer.self_attn, _shared_mlp(layer)
        concatenate(shared.gate_proj, shared.up_proj)
        concatenate(attention.q_proj, attention.k_proj, attention.v_proj)
    weights = [*model.decoder.parameters(), *model.lm_head.parameters()]
    return frozenset(weight.untyped_storage().data_ptr() for weight in weights)


def rotation_tables(model: DeepseekMoeModel) -> tuple[Tensor, Tensor]:
    """Cosines and sines of all positions, each (positions, head_dim)."""
    positions = torch.arange(model.spec.decoder.max_positions, device=model.device)
    cosine, sine = model.decoder.rotary(positions, model.dtype)
    return cosine.squeeze(1).contiguous(), sine.squeeze(1).contiguous()


def _weights_of(layer: nn.Module, blocks: Tensor, width: int) -> LayerWeights:
    assert isinstance(layer, DecoderLayer)
    attention, mlp = layer.self_attn, layer.mlp
    shared = _shared_mlp(layer)
    gate_up = concatenate(shared.gate_proj, shared.up_proj)
    gate, up = gate_up.chunk(2)
    experts = ExpertWeights(gate, up, shared.down_proj.weight, width=len(gate))
    if isinstance(mlp, MoE):
        experts = ExpertWeights(
            *(gate, up, shared.down_proj.weight, width, mlp.experts.w13, mlp.experts.w2),
            num_chosen=mlp.gate.num_chosen,
            normalize=mlp.gate.normalize,
            scale=mlp.gate.scale,
            scale13=mlp.experts.scale13,
            scale2=mlp.experts.scale2,
        )
    return LayerWeights(
        blocks=blocks,
        attention_norm=layer.input_layernorm.weight,
        qkv=concatenate(attention.q_proj, attention.k_proj, attention.v_proj),
        out=attention.o_proj.weight,
        experts_norm=layer.post_attention_layernorm.weight,
        experts=experts,
        gate_up=gate_up,
        router=mlp.gate.weight if isinstance(mlp, MoE) else None,
    )


def _shared_mlp(layer: DecoderLayer) -> SwiGLU:
    """The MLP that every token passes: the shared experts, or that of a dense layer."""
    mlp = layer.mlp
    shared = mlp.shared_experts if isinstance(mlp, MoE) else mlp
    assert isinstance(shared, SwiGLU)
    return shared


def concatenate(*linears: nn.Linear) -> Tensor:
    """The weights (outputs, inputs), concatenated over the outputs; each layer's weight becomes a
    view of the result. Weights that are contiguous already are not copied."""
    weights: list[Tensor] = [linear.weight for linear in linears]
    if _are_contiguous(weights):
        rows, first = sum(map(len, weights)), weights[0]
        return first.as_strided((rows, first.shape[1]), first.stride(), first.storage_offset())
    joined = torch.cat(weights)
    for linear, part in zip(linears, torch.split(joined, [*map(len, weights)]), strict=True):
        linear.weight.data = part
    return joined


def _are_contiguous(weights: list[Tensor]) -> bool:
    ends = [one.data_ptr() + one.numel() * one.element_size() for one in weights]
    owners = {one.untyped_storage().data_ptr() for one in weights}
    return len(owners) == 1 and ends[:-1] == [one.data_ptr() for one in weights[1:]]
