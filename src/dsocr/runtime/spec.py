"""Sizes of models, and the parts of config.json that families share (spec 1.1). Plain data.

The decoder's fields are taken from the top level, else from `language_config`, else from the
defaults of the released code. A feature that the runtime does not compute is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

Config = Mapping[str, Any]

SAM_PATCH, SAM_DOWNSAMPLE = 16, 4
"""SAM's patch and the factor of its two convolutions: one feature per 64 pixels (spec 2.1)."""


class CheckpointError(Exception):
    """The folder is not a checkpoint that this runtime can load. The message names every fault."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The three numbers of a resolution mode, as in the released code (spec 2.4)."""

    base_size: int
    """Side of the global view where `crop_mode` is on."""
    image_size: int
    """Side of a tile, or of the only view where `crop_mode` is off."""
    crop_mode: bool


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """How a family cuts a page into views, and what they cost (spec 2.4, 3)."""

    modes: Mapping[str, Resolution]
    default_mode: str
    max_tiles: int
    """Tiles of a page, unless the settings say otherwise."""
    untiled_side: int
    """A page no wider and no higher than this gets no tiles."""
    squashed_side: int
    """Without tiles, views up to this side ignore the aspect ratio; larger ones are padded."""
    patch_size: int
    downsample: int
    """Patches that become one feature, in each direction."""
    encode_bytes_per_pixel: int
    """Memory that a pass through the vision towers by kernels needs at most."""
    encode_pixels_per_prompt_token: int
    """Encoding this many pixels costs about as much as prefilling one token."""
    common_prompt_tokens: int
    """Length of the most common prompt, image included."""
    most_tiles: int | None = None
    """Tiles of a page that no setting may exceed; None: any number."""

    def allowed_tiles(self, max_tiles: int | None) -> int:
        """Tiles of a page, at most, for a setting `max_tiles`; None: the family's own."""
        wanted = self.max_tiles if max_tiles is None else max_tiles
        return wanted if self.most_tiles is None else min(wanted, self.most_tiles)

    @property
    def default(self) -> Resolution:
        return self.modes[self.default_mode]

    def side_features(self, pixels: int) -> int:
        """Features along a side of a view (spec 2.4)."""
        return -(-(pixels // self.patch_size) // self.downsample)


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
class CausalFlowSpec:
    """The causal-flow encoder, which runs on SAM's features and learned queries (spec 10.2)."""

    num_layers: int
    width: int
    num_heads: int
    num_kv_heads: int
    """Heads of keys and values; each serves `num_heads / num_kv_heads` consecutive heads."""
    mlp_width: int

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
    window: int | None = None
    """Output tokens that an output token attends to, itself included, besides the whole prompt;
    None: all of them (spec 10.4)."""
    guards_prompt: bool = False
    """Whether the no-repeat rule with a window covers the prompt too, and exempts no token
    (spec 10.4)."""

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads


class DecoderSizes(Protocol):
    """The sizes of a decoder that the cache and the memory plan need, whatever its architecture."""

    @property
    def num_layers(self) -> int: ...

    @property
    def num_heads(self) -> int: ...

    @property
    def head_dim(self) -> int: ...

    @property
    def hidden_size(self) -> int: ...

    @property
    def max_positions(self) -> int: ...


def window_of(spec: DecoderSizes) -> int | None:
    """The attention window over the output of a decoder that has one."""
    return spec.window if isinstance(spec, DecoderSpec) else None


def guards_prompt(spec: DecoderSizes) -> bool:
    """Whether the no-repeat rule with a window covers the prompt too, and exempts no token."""
    return isinstance(spec, DecoderSpec) and spec.guards_prompt


class FamilySpec(Protocol):
    """The spec of a model of any family."""

    @property
    def decoder(self) -> DecoderSizes: ...

    @property
    def views(self) -> ViewSpec: ...


@dataclass(frozen=True, slots=True)
class Released:
    """Values of a family's released files, to compare a weights folder with."""

    tokenizer_sha256: str
    prompt: str
    prompt_ids: tuple[int, ...]
    """Ids of the prompt with one placeholder for the image."""
    views: ViewSpec
    modes: tuple[str, ...]
    """Modes in which the views of the known image are compared."""
    views_sha256: Mapping[str, str]
    """Name of a Pillow version -> SHA-256 of these views."""


@contextmanager
def config_errors() -> Iterator[None]:
    """Turns the errors of reading fields into `CheckpointError`."""
    try:
        yield
    except KeyError as error:
        raise CheckpointError(f"config.json lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"config.json has a field of the wrong kind: {error}") from error


def _set_fields(config: Config | None) -> dict[str, Any]:
    """The fields with a value: null counts as absent."""
    return {name: value for name, value in (config or {}).items() if value is not None}


def sam_spec(config: Config) -> SamSpec:
    net_2, net_3 = config["downsample_channels"]
    return SamSpec(
        num_layers=int(config["layers"]),
        width=int(config["width"]),
        num_heads=int(config["heads"]),
        global_layers=tuple(int(index) for index in config["global_attn_indexes"]),
        net_2_channels=int(net_2),
        net_3_channels=int(net_3),
    )


def clip_spec(config: Config) -> ClipSpec:
    return ClipSpec(
        num_layers=int(config["layers"]),
        width=int(config["width"]),
        num_heads=int(config["heads"]),
        patch_grid=int(config["image_size"]) // int(config["patch_size"]),
    )


def causal_flow_spec(config: Config) -> CausalFlowSpec:
    """The released file names the width alone; the other sizes are constants of the released
    code."""
    return CausalFlowSpec(
        num_layers=int(config.get("layers", 24)),
        width=int(config["dim"]),
        num_heads=int(config.get("heads", 14)),
        num_kv_heads=int(config.get("kv_heads", 2)),
        mlp_width=int(config.get("intermediate_size", 4864)),
    )


def decoder_fields(config: Config) -> dict[str, Any]:
    """The decoder's fields that have a value, from `language_config` and the top level."""
    return _set_fields(config.get("language_config")) | _set_fields(config)


def decoder_spec(config: Config) -> DecoderSpec:
    """The decoder's sizes, from the top level, else from `language_config`."""
    config = decoder_fields(config)
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
