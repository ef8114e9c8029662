from __future__ import annotations

import pytest

from dsocr.engines.deepseek.modes import DEFAULT_MODE, MODES, mode_of
from dsocr.errors import UnsupportedMode


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
    spec = mode_of(key)
    assert (spec.key, spec.base_size, spec.image_size) == (key, base_size, image_size)
    assert spec.crop_mode is crop_mode


def test_there_are_five_modes_in_the_documented_order_and_gundam_is_the_default() -> None:
    assert list(MODES) == ["gundam", "base", "small", "tiny", "large"]
    assert DEFAULT_MODE == "gundam"


def test_an_unknown_mode_is_refused_with_the_known_keys() -> None:
    with pytest.raises(UnsupportedMode, match="gundam, base, small, tiny, large"):
        mode_of("Gundam-M")
