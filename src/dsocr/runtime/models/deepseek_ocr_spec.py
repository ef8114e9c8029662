"""The spec of DeepSeek-OCR v1: its sizes, modes and released files, as plain data (spec 1 to 3).

Every number of v1 that other modules need is a field here; before an engine is ready, and of the
embedded engine, `/api/modes` shows these modes. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dsocr.runtime.spec import (
    SAM_DOWNSAMPLE,
    SAM_PATCH,
    ClipSpec,
    Config,
    DecoderSpec,
    Released,
    Resolution,
    SamSpec,
    ViewSpec,
    clip_spec,
    config_errors,
    decoder_spec,
    sam_spec,
)

ARCHITECTURE = "DeepseekOCRForCausalLM"
"""The model class that the released config.json names (spec 1.1)."""

VIEWS = ViewSpec(
    modes={
        "gundam": Resolution(1024, 640, True),
        "base": Resolution(1024, 1024, False),
        "small": Resolution(640, 640, False),
        "tiny": Resolution(512, 512, False),
        "large": Resolution(1280, 1280, False),
    },
    default_mode="gundam",
    max_tiles=9,
    untiled_side=640,
    squashed_side=640,
    patch_size=SAM_PATCH,
    downsample=SAM_DOWNSAMPLE,
    encode_bytes_per_pixel=96,  # measured, with a margin
    encode_pixels_per_prompt_token=800,  # 1.0 TFLOP a megapixel against 0.8 GFLOP a token
    common_prompt_tokens=913,  # gundam with 2 x 3 tiles: 903, and 10 of the prompt's text
)
"""Modes and views (spec 2.4, 3)."""

RELEASED = Released(
    tokenizer_sha256="a02f8fd5228c90256bb4f6554c34a579d48f909e5beb232dc4afad870b55a8b4",
    prompt="<image>\n<|grounding|>Convert the document to markdown.",
    prompt_ids=(0, 128815, 201, 128820, 21842, 270, 4940, 304, 2121, 7919, 16),
    views=VIEWS,
    modes=("gundam", "small"),
    views_sha256={
        "Pillow before 13": "d096c0381800fa547bcf982fd156a781eb36adce3350640801f6497166dd4506",
        "Pillow 13": "4b98b12ff876ca503f548f9e9308fadb6972a01d5827da22719c0c82a583aa35",
    },
)


@dataclass(frozen=True, slots=True)
class DeepseekOcrSpec:
    """All sizes of one checkpoint."""

    sam: SamSpec
    clip: ClipSpec
    decoder: DecoderSpec
    projector_width: int
    """Input channels of the projector: CLIP's and SAM's, concatenated (spec 2.3)."""
    views: ViewSpec = VIEWS


def parse(config: Config) -> DeepseekOcrSpec:
    """The spec of a parsed config.json. Raises `CheckpointError`."""
    with config_errors():
        return DeepseekOcrSpec(
            sam=sam_spec(config["vision_config"]["width"]["sam_vit_b"]),
            clip=clip_spec(config["vision_config"]["width"]["clip-l-14-224"]),
            decoder=decoder_spec(config),
            projector_width=int(config["projector_config"]["input_dim"]),
        )


def one_of_each_layer(spec: DeepseekOcrSpec) -> DeepseekOcrSpec:
    """The same sizes with few layers, one of each kind."""
    sam, decoder = one_of_each(spec.sam, spec.decoder)
    return replace(spec, sam=sam, clip=replace(spec.clip, num_layers=1), decoder=decoder)


def one_of_each(sam: SamSpec, decoder: DecoderSpec) -> tuple[SamSpec, DecoderSpec]:
    """The same sizes with a windowed and a global layer of SAM, and a dense and an expert layer of
    the decoder, as far as the specs have them."""
    dense = min(1, decoder.num_dense_layers)
    experts = min(1, decoder.num_layers - decoder.num_dense_layers)
    num_global = min(1, len(sam.global_layers))
    windowed = min(1, sam.num_layers - len(sam.global_layers))
    return (
        replace(sam, num_layers=windowed + num_global, global_layers=(windowed,)[:num_global]),
        replace(decoder, num_layers=dense + experts, num_dense_layers=dense),
    )


RELEASED_SPEC = DeepseekOcrSpec(
    sam=SamSpec(
        num_layers=12,
        width=768,
        num_heads=12,
        global_layers=(2, 5, 8, 11),
        net_2_channels=512,
        net_3_channels=1024,
    ),
    clip=ClipSpec(num_layers=24, width=1024, num_heads=16, patch_grid=16),
    decoder=DecoderSpec(
        vocab_size=129_280,
        hidden_size=1280,
        num_layers=12,
        num_heads=10,
        dense_width=6848,
        num_dense_layers=1,
        num_experts=64,
        num_experts_per_token=6,
        expert_width=896,
        shared_width=1792,
        max_positions=8192,
        bos_token_id=0,
        eos_token_id=1,
        rms_norm_eps=1e-6,
        rope_theta=10000.0,
        normalize_weights=False,
        routed_scale=1.0,
    ),
    projector_width=2048,
)
"""The sizes of the released config.json (spec 1.1)."""
