"""The five resolution modes of DeepSeek-OCR as the API shows them; sizes are the model spec's."""

from __future__ import annotations

from dataclasses import dataclass

from dsocr.errors import UnsupportedMode
from dsocr.runtime.models.deepseek_ocr_spec import VIEWS
from dsocr.types import Mode

DEFAULT_MODE: Mode = "gundam"


@dataclass(frozen=True, slots=True)
class ModeSpec:
    """One mode as `/api/modes` shows it; sizes are pixels of the square views."""

    key: Mode
    label: str
    description: str
    base_size: int
    """Side of the global view."""
    image_size: int
    """Side of a local tile, or of the only view where `crop_mode` is off."""
    crop_mode: bool
    test_compress: bool
    speed: str
    quality: str


def _mode(key: Mode, label: str, description: str, *, speed: str, quality: str) -> ModeSpec:
    sizes = VIEWS.modes[key]
    return ModeSpec(
        key=key,
        label=label,
        description=description,
        base_size=sizes.base_size,
        image_size=sizes.image_size,
        crop_mode=sizes.crop_mode,
        test_compress=False,
        speed=speed,
        quality=quality,
    )


_SPECS = (
    _mode(
        "gundam",
        "Gundam",
        "A 1024 px overview and up to nine 640 px tiles: 256 vision tokens and 100 a "
        "tile. For dense pages and small print.",
        speed="medium",
        quality="best",
    ),
    _mode(
        "base",
        "Base",
        "One padded 1024 px view: 256 vision tokens. For ordinary pages.",
        speed="fast",
        quality="good",
    ),
    _mode(
        "small",
        "Small",
        "One 640 px view, aspect ignored: 100 vision tokens. For slides and short texts.",
        speed="faster",
        quality="fair",
    ),
    _mode(
        "tiny",
        "Tiny",
        "One 512 px view, aspect ignored: 64 vision tokens. For large print and quick looks.",
        speed="fastest",
        quality="draft",
    ),
    _mode(
        "large",
        "Large",
        "One padded 1280 px view: 400 vision tokens. For full pages with fine detail.",
        speed="medium",
        quality="high",
    ),
)

MODES: dict[Mode, ModeSpec] = {spec.key: spec for spec in _SPECS}


def mode_of(name: str) -> ModeSpec:
    """The mode of that key; `UnsupportedMode` names the keys there are."""
    for key, spec in MODES.items():
        if key == name:
            return spec
    raise UnsupportedMode(f"There is no mode {name[:40]!r}. Choose one of: {', '.join(MODES)}.")
