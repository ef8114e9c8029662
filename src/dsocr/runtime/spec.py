"""A checkpoint's config.json as sizes (spec 1.1). Knows no tensors and imports no torch.

The decoder's fields are taken from the top level, else from `language_config`, else from the
defaults of the released code. A feature that the runtime does not compute is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Config = Mapping[str, Any]

ARCHITECTURE = "DeepseekOCRForCausalLM"
"""The model class that the released config.json names."""


class CheckpointError(Exception):
    """The folder is not a checkpoint that this runtime can load. The message names every fault."""


@dataclass(frozen=True, slots=True)
class SamSpec:
    """The SAM ViT trunk and its neck (spec 2.1)."""

    num_layers: int
    width: int
    num_heads: int
    global_layers: tuple[int, ...]
    """Layers with attention over the whole grid; the others attend within windows."""
    net_2_channels: int
    net_3_channels: int

    @property
    def head_dim(self) -> int:
        return self.width // self.num_heads


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """The CLIP transformer that runs on SAM's features (spec 2.2)."""

    num_layers: int
    width: int
    num_heads: int
    patch_grid: int
    """Side of the learned position table: image_size // patch_size."""

    @property
    def head_dim(self) -> int:
        return self.width // self.num_heads


@dataclass(frozen=True, slots=True)
class DecoderSpec:
    """The mixture-of-experts decoder (spec 5)."""

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    dense_width: int
    num_dense_layers: int
    """The first layers have one MLP instead of experts."""
    num_experts: int
    num_experts_per_token: int
    expert_width: int
    shared_width: int
    """Width of the MLP that every token passes: moe_intermediate_size * n_shared_experts."""
    max_positions: int
    bos_token_id: int
    eos_token_id: int
    rms_norm_eps: float
    rope_theta: float
    normalize_weights: bool
    routed_scale: float

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads


@dataclass(frozen=True, slots=True)
class DeepseekOcrSpec:
    """All sizes of one checkpoint."""

    sam: SamSpec
    clip: ClipSpec
    decoder: DecoderSpec
    projector_width: int
    """Input channels of the projector: CLIP's and SAM's, concatenated (spec 2.3)."""


def read_spec(folder: Path) -> DeepseekOcrSpec:
    """The sizes in the folder's config.json. Raises `CheckpointError`."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} does not hold a JSON object")
    return parse_config(config)


def parse_config(config: Config) -> DeepseekOcrSpec:
    """The sizes in a parsed config.json. Raises `CheckpointError`."""
    _refuse_other_classes(config)
    try:
        return DeepseekOcrSpec(
            sam=_sam(config["vision_config"]["width"]["sam_vit_b"]),
            clip=_clip(config["vision_config"]["width"]["clip-l-14-224"]),
            decoder=_decoder(_set_fields(config.get("language_config")) | _set_fields(config)),
            projector_width=int(config["projector_config"]["input_dim"]),
        )
    except KeyError as error:
        raise CheckpointError(f"config.json lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"config.json has a field of the wrong kind: {error}") from error


def _refuse_other_classes(config: Config) -> None:
    """Other models have the same tensor names and sizes but compute something else with them."""
    named = config.get("architectures") or []
    classes = [named] if isinstance(named, str) else named
    if not isinstance(classes, list):
        raise CheckpointError(f"config.json has a field of the wrong kind: architectures = {named}")
    others = ", ".join(str(name) for name in classes if name != ARCHITECTURE)
    if others:
        raise CheckpointError(
            f"config.json names the model class {others} in architectures, which is not supported "
            f"(only {ARCHITECTURE} is)"
        )


def _set_fields(config: Config | None) -> dict[str, Any]:
    """The fields with a value: null counts as absent."""
    return {name: value for name, value in (config or {}).items() if value is not None}


def _sam(config: Config) -> SamSpec:
    net_2, net_3 = config["downsample_channels"]
    return SamSpec(
        num_layers=int(config["layers"]),
        width=int(config["width"]),
        num_heads=int(config["heads"]),
        global_layers=tuple(int(index) for index in config["global_attn_indexes"]),
        net_2_channels=int(net_2),
        net_3_channels=int(net_3),
    )


def _clip(config: Config) -> ClipSpec:
    return ClipSpec(
        num_layers=int(config["layers"]),
        width=int(config["width"]),
        num_heads=int(config["heads"]),
        patch_grid=int(config["image_size"]) // int(config["patch_size"]),
    )


def _decoder(config: Config) -> DecoderSpec:
    _refuse_unsupported(config)
    expert_width = int(config["moe_intermediate_size"])
    return DecoderSpec(
        vocab_size=int(config["vocab_size"]),
        hidden_size=int(config["hidden_size"]),
        num_layers=int(config["num_hidden_layers"]),
        num_heads=int(config["num_attention_heads"]),
        dense_width=int(config["intermediate_size"]),
        num_dense_layers=int(config["first_k_dense_replace"]),
        num_experts=int(config["n_routed_experts"]),
        num_experts_per_token=int(config["num_experts_per_tok"]),
        expert_width=expert_width,
        shared_width=expert_width * int(config["n_shared_experts"]),
        max_positions=int(config["max_position_embeddings"]),
        bos_token_id=int(config["bos_token_id"]),
        eos_token_id=int(config["eos_token_id"]),
        rms_norm_eps=float(config.get("rms_norm_eps", 1e-6)),
        rope_theta=float(config.get("rope_theta", 10000.0)),
        normalize_weights=bool(config.get("norm_topk_prob", False)),
        routed_scale=float(config.get("routed_scaling_factor", 1.0)),
    )


def _refuse_unsupported(config: Config) -> None:
    """Raises `CheckpointError` for features that the decoder would silently compute wrongly."""
    heads = config["num_attention_heads"]
    only = {
        "num_key_value_heads": heads,
        "use_mla": False,
        "rope_scaling": None,
        "hidden_act": "silu",
        "scoring_func": "softmax",
        "topk_method": "greedy",
        "n_group": 1,
        "moe_layer_freq": 1,
        "attention_bias": False,
        "tie_word_embeddings": False,
        "sliding_window": None,
        "sliding_window_size": None,
    }
    odd = [
        f"{name} = {config[name]!r} (only {value!r})"
        for name, value in only.items()
        if name in config and config[name] != value
    ]
    if odd:
        raise CheckpointError("config.json asks for what is not supported: " + ", ".join(odd))
