"""The resolution modes as the API shows them: names and texts; sizes are a model family's."""

from __future__ import annotations

from dataclasses import dataclass

from dsocr.engines.base import ModeSpec
from dsocr.errors import UnsupportedMode
from dsocr.runtime.models.deepseek_ocr_spec import VIEWS
from dsocr.runtime.spec import Resolution, ViewSpec
from dsocr.types import Mode, ModeChoice

DEFAULT_MODE: Mode = "gundam"
"""Of a request without a mode: every family has it."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, slots=True)
class _Text:
    label: str
    use: str
    speed: str
    quality: str


_TEXTS: dict[Mode, _Text] = {
    "gundam": _Text("Gundam", "For dense pages and small print.", "medium", "best"),
    "base": _Text("Base", "For ordinary pages.", "fast", "good"),
    "small": _Text("Small", "For slides and short texts.", "faster", "fair"),
    "tiny": _Text("Tiny", "For large print and quick looks.", "fastest", "draft"),
    "large": _Text("Large", "For full pages with fine detail.", "medium", "high"),
}


MODE_CHOICES: tuple[ModeChoice, ...] = (*_TEXTS, "auto")
"""What a request may name."""
AUTO_DESCRIPTION = "Chosen for each page by its size, its ink and the size of its text."


def mode_specs(views: ViewSpec) -> dict[Mode, ModeSpec]:
    """The modes of a family, with its sizes. Modes of other names cannot be requested."""
    return {
        key: _mode_spec(key, text, views.modes[key], views)
        for key, text in _TEXTS.items()
        if key in views.modes
    }


def mode_of(name: str) -> ModeChoice:
    """The mode of that name, or `auto`; `UnsupportedMode` lists the names there are."""
    for key in MODE_CHOICES:
        if key == name:
            return key
    known = ", ".join(MODE_CHOICES)
    raise UnsupportedMode(f"There is no mode {name[:40]!r}. Choose one of: {known}.")


def _mode_spec(key: Mode, text: _Text, sizes: Resolution, views: ViewSpec) -> ModeSpec:
    describe = _describe_tiles if sizes.crop_mode else _describe_view
    fewest = views.side_features(sizes.base_size) ** 2
    most = fewest + views.max_tiles * views.side_features(sizes.image_size) ** 2
    return ModeSpec(
        key=key,
        label=text.label,
        description=f"{describe(sizes, views)} {text.use}",
        base_size=sizes.base_size,
        image_size=sizes.image_size,
        crop_mode=sizes.crop_mode,
        test_compress=False,
        speed=text.speed,
        quality=text.quality,
        vision_tokens=(fewest, most) if sizes.crop_mode else (fewest,),
    )


def _describe_tiles(sizes: Resolution, views: ViewSpec) -> str:
    most = dict(enumerate(_NUMBERS)).get(views.max_tiles, str(views.max_tiles))
    overview, tile = (
        views.side_features(side) ** 2 for side in (sizes.base_size, sizes.image_size)
    )
    return (
        f"A {sizes.base_size} px overview and up to {most} {sizes.image_size} px tiles: "
        f"{overview} vision tokens and {tile} a tile."
    )


def _describe_view(sizes: Resolution, views: ViewSpec) -> str:
    side, tokens = sizes.image_size, views.side_features(sizes.image_size) ** 2
    if side <= views.squashed_side:
        return f"One {side} px view, aspect ignored: {tokens} vision tokens."
    return f"One padded {side} px view: {tokens} vision tokens."


MODES = mode_specs(VIEWS)
"""The modes of DeepSeek-OCR v1, in the order in which they are listed."""
