from __future__ import annotations

from dataclasses import replace

import pytest

from dsocr.engines.deepseek.modes import DEFAULT_MODE, MODES, mode_of, mode_specs
from dsocr.errors import UnsupportedMode
from dsocr.runtime.models.deepseek_ocr_spec import VIEWS
from dsocr.runtime.spec import Resolution


@pytest.mark.parametrize(
    ("key", "base_size", "image_size", "crop_mode"),
    [
        ("gundam", 1024, 640, True),
        ("base", 1024, 1024, False),
        ("small", 640, 640, False),
        ("tiny", 512, 512, False),
        ("large", 1280, 1280, False),
    ],
)
def test_modes_have_the_documented_sizes(
    key: str, base_size: int, image_size: int, crop_mode: bool
) -> None:
    spec = MODES[mode_of(key)]
    assert (spec.key, spec.base_size, spec.image_size) == (key, base_size, image_size)
    assert spec.crop_mode is crop_mode


def test_there_are_five_modes_in_the_documented_order_and_gundam_is_the_default() -> None:
    assert list(MODES) == ["gundam", "base", "small", "tiny", "large"]
    assert DEFAULT_MODE == "gundam"


def test_an_unknown_mode_is_refused_with_the_known_keys() -> None:
    with pytest.raises(UnsupportedMode, match="gundam, base, small, tiny, large"):
        mode_of("Gundam-M")


def test_vision_tokens_are_as_many_as_in_the_paper() -> None:
    assert {key: spec.vision_tokens for key, spec in MODES.items()} == {
        "gundam": (256, 1156),
        "base": (256,),
        "small": (100,),
        "tiny": (64,),
        "large": (400,),
    }


def test_modes_of_deepseek_ocr_are_described_with_their_sizes() -> None:
    assert [spec.description for spec in MODES.values()] == [
        "A 1024 px overview and up to nine 640 px tiles: 256 vision tokens and 100 a tile. For "
        "dense pages and small print.",
        "One padded 1024 px view: 256 vision tokens. For ordinary pages.",
        "One 640 px view, aspect ignored: 100 vision tokens. For slides and short texts.",
        "One 512 px view, aspect ignored: 64 vision tokens. For large print and quick looks.",
        "One padded 1280 px view: 400 vision tokens. For full pages with fine detail.",
    ]


def test_modes_of_another_family_have_its_sizes() -> None:
    modes = {"gundam": Resolution(512, 320, True), "wide": Resolution(2048, 2048, False)}
    views = replace(VIEWS, modes=modes, max_tiles=12)

    specs = mode_specs(views)

    assert list(specs) == ["gundam"]
    assert specs["gundam"].vision_tokens == (64, 64 + 12 * 25)
    assert specs["gundam"].description.startswith("A 512 px overview and up to 12 320 px tiles")
