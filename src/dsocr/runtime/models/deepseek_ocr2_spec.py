"""The spec of DeepSeek-OCR-2: its sizes, modes and released files, as plain data (spec 10).

Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dsocr.runtime.models import deepseek_ocr_spec as v1
from dsocr.runtime.spec import (
    CausalFlowSpec,
    Config,
    DecoderSpec,
    Released,
    Resolution,
    SamSpec,
    ViewSpec,
    causal_flow_spec,
    config_errors,
    decoder_spec,
    sam_spec,
)

ARCHITECTURE = "DeepseekOCR2ForCausalLM"
"""The model class that the released config.json names; its `model_type` is v1's (spec 10.1)."""

VIEWS = ViewSpec(
    modes={
        "gundam": Resolution(1024, 768, True),
        "base": Resolution(1024, 1024, False),
        "small": Resolution(768, 768, False),
    },
    default_mode="gundam",
    max_tiles=6,
    untiled_side=768,
    squashed_side=768,
    patch_size=v1.VIEWS.patch_size,
    downsample=v1.VIEWS.downsample,
    encode_bytes_per_pixel=v1.VIEWS.encode_bytes_per_pixel,  # SAM's, whose passes are the largest
    encode_pixels_per_prompt_token=650,  # 1.2 TFLOP a megapixel against 0.8 GFLOP a token
    common_prompt_tokens=1131,  # gundam with 2 x 3 tiles: 1121, and 10 of the prompt's text
    most_tiles=6,  # the model is trained for no more
)
"""Modes and views (spec 10.3)."""

RELEASED = Released(
    tokenizer_sha256=v1.RELEASED.tokenizer_sha256,
    prompt=v1.RELEASED.prompt,
    prompt_ids=v1.RELEASED.prompt_ids,
    views=VIEWS,
    modes=("gundam", "small"),
    views_sha256={
        "Pillow before 13": "d8f08e846ad5a65dda91b7b4cc6f5e178350fd3137aeed73bc1bb13ef09fb7b9",
        "Pillow 13": "5fdb41497c6abf80092b76cdb4e1f95ccb742ae676435b1176c488ac8ca80971",
    },
)
"""The tokenizer's file is v1's."""


@dataclass(frozen=True, slots=True)
class DeepseekOcr2Spec:
    """All sizes of one checkpoint."""

    sam: SamSpec
    encoder: CausalFlowSpec
    decoder: DecoderSpec
    views: ViewSpec = VIEWS


def parse(config: Config) -> DeepseekOcr2Spec:
    """The spec of a parsed config.json. Raises `CheckpointError`."""
    with config_errors():
        width = config["vision_config"]["width"]
        encoder = causal_flow_spec(width["qwen2-0-5b"])
        return DeepseekOcr2Spec(
            # the released file gives v1's number of channels (spec 10.1)
            sam=replace(sam_spec(width["sam_vit_b"]), net_3_channels=encoder.width),
            encoder=encoder,
            decoder=decoder_spec(config),
        )


def one_of_each_layer(spec: DeepseekOcr2Spec) -> DeepseekOcr2Spec:
    """The same sizes with few layers, one of each kind."""
    sam, decoder = v1.one_of_each(spec.sam, spec.decoder)
    return replace(spec, sam=sam, encoder=replace(spec.encoder, num_layers=1), decoder=decoder)


RELEASED_SPEC = DeepseekOcr2Spec(
    sam=replace(v1.RELEASED_SPEC.sam, net_3_channels=896),
    encoder=CausalFlowSpec(num_layers=24, width=896, num_heads=14, num_kv_heads=2, mlp_width=4864),
    decoder=v1.RELEASED_SPEC.decoder,
)
"""The sizes of the released config.json (spec 10.1)."""
