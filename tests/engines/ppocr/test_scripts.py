"""Which scripts are recognized and which are flagged, on pages typeset in each of them.

The pictures in `tests/data/scripts` say when a library opens, in words written for this test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dsocr.engines.ppocr.recognizer import PageRecognizer
from dsocr.process.child import Header

FOLDER = Path(__file__).parents[2] / "data" / "scripts"


def response_to(
    recognizer: PageRecognizer, name: str, layer: list[list[object]] | None = None
) -> Header:
    image = np.asarray(Image.open(FOLDER / f"{name}.png").convert("RGB"))
    request = {
        "mode": "base",
        "task": "markdown",
        "query": None,
        "text_lines": layer,
        "hidden_lines": [],
        "image_share": 0.0,
    }
    return recognizer.recognize(image, request, poll=lambda: None)


def flags_of(recognizer: PageRecognizer, name: str) -> list[str]:
    flags: list[str] = response_to(recognizer, name)["flags"]
    return flags


@pytest.mark.parametrize("script", ["ar", "el", "he", "hy", "ka", "ko", "ru"])
def test_an_unknown_script_is_flagged_and_neither_blank_nor_rotated(
    recognizer: PageRecognizer, script: str
) -> None:
    assert set(flags_of(recognizer, script)) - {"low_confidence"} == {"unsupported_script"}


@pytest.mark.parametrize("script", ["fr", "ja", "pl", "zhtw"])
def test_known_scripts_have_no_flag(recognizer: PageRecognizer, script: str) -> None:
    assert flags_of(recognizer, script) == []


def test_a_text_layer_that_cannot_be_checked_is_flagged(recognizer: PageRecognizer) -> None:
    """A wrong character map would not be noticed."""
    row = "Библиотека открыта по будням с девяти до шести"
    layer: list[list[object]] = [
        [row, 0.1, 0.1 * place, 0.9, 0.1 * place + 0.04, ()] for place in range(1, 9)
    ]
    response = response_to(recognizer, "ru", layer)

    assert response["flags"] == ["unchecked_text"]
    assert {confidence for *_, confidence in response["blocks"]} == {None}
