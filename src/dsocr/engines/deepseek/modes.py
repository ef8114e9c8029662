"""The five resolution modes of DeepSeek-OCR: the sizes a page is resized to. Knows no tensors."""

from __future__ import annotations

from dataclasses import dataclass

from dsocr.errors import UnsupportedMode
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


_SPECS = (
    ModeSpec(
        key="gundam",
        label="Gundam",
        description="A 1024 px overview and up to nine 640 px tiles: 256 vision tokens and 100 a "
        "tile. For dense pages and small print.",
        base_size=1024,
        image_size=640,
        crop_mode=True,
        test_compress=False,
        speed="medium",
        quality="best",
    ),
    ModeSpec(
        key="base",
        label="Base",
        description="One padded 1024 px view: 256 vision tokens. For ordinary pages.",
        base_size=1024,
        image_size=1024,
        crop_mode=False,
        test_compress=False,
        speed="fast",
        quality="good",
    ),
    ModeSpec(
        key="small",
        label="Small",
        description="One 640 px view, aspect ignored: 100 vision tokens. For slides and short "
        "texts.",
        base_size=640,
        image_size=640,
        crop_mode=False,
        test_compress=False,
        speed="faster",
        quality="fair",
    ),
    ModeSpec(
        key="tiny",
        label="Tiny",
        description="One 512 px view, aspect ignored: 64 vision tokens. For large print and quick "
        "looks.",
        base_size=512,
        image_size=512,
        crop_mode=False,
        test_compress=False,
        speed="fastest",
        quality="draft",
    ),
    ModeSpec(
        key="large",
        label="Large",
        description="One padded 1280 px view: 400 vision tokens. For full pages with fine detail.",
        base_size=1280,
        image_size=1280,
        crop_mode=False,
        test_compress=False,
        speed="medium",
        quality="high",
    ),
)

MODES: dict[Mode, ModeSpec] = {spec.key: spec for spec in _SPECS}


def mode_of(name: str) -> ModeSpec:
    """The mode of that key. Raises `UnsupportedMode`, which lists the keys."""
    for key, spec in MODES.items():
        if key == name:
            return spec
    raise UnsupportedMode(f"There is no mode {name[:40]!r}. Choose one of: {', '.join(MODES)}.")
