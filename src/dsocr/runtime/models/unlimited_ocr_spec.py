"""The spec of Unlimited-OCR: DeepSeek-OCR v1's sizes with an attention window, other modes and its
own prompts, as plain data (spec 10.4).

Imports no torch.
"""

from __future__ import annotations

from dataclasses import replace

from dsocr.runtime.models import deepseek_ocr_spec as v1
from dsocr.runtime.models.deepseek_ocr_spec import DeepseekOcrSpec
from dsocr.runtime.spec import (
    CheckpointError,
    Config,
    Released,
    Resolution,
    config_errors,
    decoder_fields,
)

ARCHITECTURE = "UnlimitedOCRForCausalLM"
"""The model class that the released config.json names."""

WINDOW_FIELDS = ("sliding_window_size", "sliding_window")
"""Names of the window in config.json; the released code prefers the first."""

VIEWS = replace(
    v1.VIEWS,
    modes={
        "gundam": Resolution(1024, 640, True),
        "base": Resolution(1024, 1024, False),
    },
    max_tiles=32,
    most_tiles=32,  # the model is trained for no more
)
"""Modes and views: v1's, but for the modes that its authors name and the number of tiles."""

PROMPTS = {"markdown": "<image>document parsing."}
"""Wording of each task that the model is trained for; no newline follows the mark."""

RELEASED = Released(
    tokenizer_sha256=v1.RELEASED.tokenizer_sha256,
    prompt=PROMPTS["markdown"],
    prompt_ids=(0, 128815, 34030, 76466, 16),
    views=VIEWS,
    modes=("gundam", "base"),
    views_sha256={
        "Pillow 12 and 13": "8dfd12b063c4f1dfb0a9dd4126eec9d5ab4a09d9e9e4f0bde30b360d641a3836",
    },
)
"""The tokenizer's file is v1's."""


def parse(config: Config) -> DeepseekOcrSpec:
    """The spec of a parsed config.json. Raises `CheckpointError`."""
    without = {name: value for name, value in config.items() if name not in WINDOW_FIELDS}
    with config_errors():
        window = _window(config)
        nested = config.get("language_config") or {}
        without["language_config"] = {
            name: value for name, value in nested.items() if name not in WINDOW_FIELDS
        }
    spec = v1.parse(without)
    return replace(
        spec, decoder=replace(spec.decoder, window=window, guards_prompt=True), views=VIEWS
    )


def _window(config: Config) -> int:
    """Without it the model would attend to output that it was not trained to see."""
    fields = decoder_fields(config)
    found = [int(fields[name]) for name in WINDOW_FIELDS if name in fields]
    if not found or found[0] < 1:
        raise CheckpointError(f"config.json lacks {WINDOW_FIELDS[0]}, the attention window")
    return found[0]


RELEASED_SPEC = replace(
    v1.RELEASED_SPEC,
    decoder=replace(v1.RELEASED_SPEC.decoder, max_positions=32_768, window=128, guards_prompt=True),
    views=VIEWS,
)
"""The sizes of the released config.json."""
