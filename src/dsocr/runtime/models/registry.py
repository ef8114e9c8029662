"""The registry of model families: the architecture that config.json names selects one.

Imports no torch: a family's model is imported when it is made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsocr.runtime.config import AttentionName
from dsocr.runtime.models import deepseek_ocr2_spec, deepseek_ocr_spec, unlimited_ocr_spec
from dsocr.runtime.spec import CheckpointError, Config, FamilySpec, Released

if TYPE_CHECKING:
    from dsocr.runtime.models.family import OcrModel


@dataclass(frozen=True, slots=True)
class Family:
    """One model family."""

    name: str
    """Of the model, for people: `/health` and results show it."""
    parse: Callable[[Config], FamilySpec]
    """config.json to the family's spec. Raises `CheckpointError`."""
    model: str
    """`module:Class` of its `OcrModel`."""
    released: Released | None = None
    """Values of the released files, for `weights.check`."""
    released_spec: FamilySpec | None = None
    """The spec of the released config.json."""
    one_of_each_layer: Callable[[Any], FamilySpec] = lambda spec: spec
    """A spec to the same with one layer of each kind: it launches the same kernels."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Task -> the model's own wording, for a model that knows these tasks alone; empty: the prompts
    of `engines.deepseek.prompts`."""

    def make_model(self, spec: FamilySpec, attention: AttentionName) -> OcrModel:
        """The model with empty weights."""
        module, _, name = self.model.partition(":")
        model: OcrModel = getattr(import_module(module), name)(spec, attention=attention)
        return model


DEFAULT_ARCHITECTURE = deepseek_ocr_spec.ARCHITECTURE
"""Of a config.json that names none."""

FAMILIES: dict[str, Family] = {
    deepseek_ocr_spec.ARCHITECTURE: Family(
        name="DeepSeek-OCR",
        parse=deepseek_ocr_spec.parse,
        model="dsocr.runtime.models.deepseek_ocr:DeepseekOcr",
        released_spec=deepseek_ocr_spec.RELEASED_SPEC,
        one_of_each_layer=deepseek_ocr_spec.one_of_each_layer,
        released=deepseek_ocr_spec.RELEASED,
    ),
    deepseek_ocr2_spec.ARCHITECTURE: Family(
        name="DeepSeek-OCR-2",
        parse=deepseek_ocr2_spec.parse,
        model="dsocr.runtime.models.deepseek_ocr2:DeepseekOcr2",
        released_spec=deepseek_ocr2_spec.RELEASED_SPEC,
        one_of_each_layer=deepseek_ocr2_spec.one_of_each_layer,
        released=deepseek_ocr2_spec.RELEASED,
    ),
    unlimited_ocr_spec.ARCHITECTURE: Family(
        name="Unlimited-OCR",
        parse=unlimited_ocr_spec.parse,
        model="dsocr.runtime.models.deepseek_ocr:DeepseekOcr",
        released_spec=unlimited_ocr_spec.RELEASED_SPEC,
        one_of_each_layer=deepseek_ocr_spec.one_of_each_layer,
        released=unlimited_ocr_spec.RELEASED,
        prompts=unlimited_ocr_spec.PROMPTS,
    ),
}
"""Architecture name in config.json -> family."""


QUANTIZED = ("quantization_config", "quantization", "compression_config")
"""Fields that quantizing programs write: transformers' and vLLM's, MLX's, an older one."""
TRANSFORMERS_LAYOUTS = frozenset(
    {"DeepseekOcr2ForConditionalGeneration", "UnlimitedOcrForConditionalGeneration"}
)
"""Model classes of the transformers library: the same weights under other names and layouts."""


def family_of(config: Config) -> Family:
    """The family of a parsed config.json. Raises `CheckpointError` for an architecture that is not
    registered: another model may have the same tensor names and sizes but compute something else.
    """
    _check_not_quantized(config)
    named = config.get("architectures") or [DEFAULT_ARCHITECTURE]
    if not isinstance(named, str | list):
        raise CheckpointError(f"config.json has a field of the wrong kind: architectures = {named}")
    architectures = [named] if isinstance(named, str) else [str(name) for name in named]
    others = ", ".join(name for name in architectures if name not in FAMILIES)
    if TRANSFORMERS_LAYOUTS & set(architectures):
        raise CheckpointError(
            f"config.json names {others}: this is the layout of the transformers library. Use the "
            "folder that the model's authors released"
        )
    if others or len(set(architectures)) > 1:
        raise CheckpointError(
            f"config.json names the model class {others or named} in architectures, which is not "
            f"supported (only {' or '.join(FAMILIES)} is)"
        )
    return FAMILIES[architectures[0]]


def _check_not_quantized(config: Config) -> None:
    field = next((name for name in QUANTIZED if config.get(name)), None)
    if field is None:
        return
    details = config[field] if isinstance(config[field], dict) else {}
    bits = details.get("bits") or next(
        (one for one in (4, 8) if details.get(f"load_in_{one}bit")), None
    )
    parts = [str(details.get("quant_method") or ""), f"{bits} bits" if bits else ""]
    how = ", ".join(part for part in parts if part)
    raise CheckpointError(
        f"the weights are quantized ({how or field} in config.json), which is not supported. Use "
        "the released weights; DEEPSEEK_OCR_RUNTIME__EXPERT_DTYPE=int8 makes them smaller"
    )


def parse_config(config: Config) -> FamilySpec:
    """The spec of a parsed config.json. Raises `CheckpointError`."""
    return family_of(config).parse(config)


def read_family(folder: Path) -> tuple[Family, FamilySpec]:
    """The family and the spec of a weights folder. Raises `CheckpointError`."""
    config = read_config(folder)
    family = family_of(config)
    return family, family.parse(config)


def read_spec(folder: Path) -> FamilySpec:
    """The spec of a weights folder. Raises `CheckpointError`."""
    return read_family(folder)[1]


def read_config(folder: Path) -> Config:
    """The folder's config.json. Raises `CheckpointError`."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} does not hold a JSON object")
    return config
