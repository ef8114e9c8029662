"""Which scripts are read and which are flagged, on pages typeset in each of them.

The pictures in `tests/data/scripts` say when a library opens, in words written for this test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dsocr.engines.ppocr.worker import PageReader
from dsocr.process.child import Header

FOLDER = Path(__file__).parents[2] / "data" / "scripts"


def answer_of(
    page_reader: PageReader, name: str, layer: list[list[object]] | None = None
) -> Header:
    image = np.asarray(Image.open(FOLDER / f"{name}.png").convert("RGB"))
    question = {
        "mode": "base",
        "task": "markdown",
        "query": None,
        "text_lines": layer,
        "image_share": 0.0,
    }
    return page_reader.read(image, question, poll=lambda: None)


def flags_of(page_reader: PageReader, name: str) -> list[str]:
    flags: list[str] = answer_of(page_reader, name)["flags"]
    return flags


@pytest.mark.parametrize("script", ["ar", "el", "he", "hy", "ka", "ko", "ru"])
def test_a_script_that_cannot_be_read_is_flagged_and_neither_blank_nor_turned(
    page_reader: PageReader, script: str
) -> None:
    assert set(flags_of(page_reader, script)) - {"low_confidence"} == {"unsupported_script"}


@pytest.mark.parametrize("script", ["fr", "ja", "pl", "zhtw"])
def test_scripts_that_are_read_have_no_flag(page_reader: PageReader, script: str) -> None:
    assert flags_of(page_reader, script) == []


def test_a_pdf_s_own_text_that_cannot_be_checked_is_flagged(page_reader: PageReader) -> None:
    """A wrong character map would not be noticed."""
    row = "Библиотека открыта по будням с девяти до шести"
    layer: list[list[object]] = [
        [row, 0.1, 0.1 * place, 0.9, 0.1 * place + 0.04] for place in range(1, 9)
    ]
    answer = answer_of(page_reader, "ru", layer)

    assert answer["flags"] == ["unchecked_text"]
    assert {confidence for *_, confidence in answer["blocks"]} == {None}
