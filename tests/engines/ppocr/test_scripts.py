"""Which scripts are recognized and which are flagged, on pages typeset in each of them.

The pictures in `tests/data/scripts` say when a library opens, in words written for this test.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import scoring
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.recognizer import PageRecognizer
from dsocr.engines.ppocr.scripts.languages import LANGUAGES, TESSDATA
from dsocr.process.child import Header

FOLDER = Path(__file__).parents[2] / "data" / "scripts"
TEXTS = json.loads(
    (Path(scoring.__file__).parent / "script_texts.json").read_text(encoding="utf-8")
)
needs_tesseract = pytest.mark.skipif(
    find_spec("tesserocr") is None, reason="tesserocr is not installed"
)


def response_to(
    recognizer: PageRecognizer,
    name: str,
    layer: list[list[object]] | None = None,
    languages: Sequence[str] = (),
) -> Header:
    return response_to_picture(recognizer, picture(name), layer, languages)


def picture(name: str) -> Pixels:
    return np.asarray(Image.open(FOLDER / f"{name}.png").convert("RGB"))


def response_to_picture(
    recognizer: PageRecognizer,
    image: Pixels,
    layer: list[list[object]] | None = None,
    languages: Sequence[str] = (),
) -> Header:
    request = {
        "mode": "base",
        "task": "markdown",
        "query": None,
        "text_lines": layer,
        "hidden_lines": [],
        "image_share": 0.0,
        "languages": languages,
    }
    return recognizer.recognize(image, request, poll=lambda: None)


def flags_of(recognizer: PageRecognizer, name: str) -> list[str]:
    flags: list[str] = response_to(recognizer, name)["flags"]
    return flags


@pytest.mark.parametrize("script", ["hy", "ka"])
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

    # the layer's lines are not where the picture has them
    assert response["flags"] == ["unchecked_text", "unread_text"]
    assert {confidence for *_, confidence in response["blocks"]} == {None}


def text_of(response: Header) -> str:
    return "\n\n".join(text for _, text, _, _ in response["blocks"])


@needs_tesseract
@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "he"])
def test_a_page_is_read_in_its_own_script(recognizer: PageRecognizer, code: str) -> None:
    response = response_to(recognizer, f"pages/{code}")
    truth = "\n\n".join(TEXTS[code] if code == "th" else TEXTS[code][:2])

    assert scoring.word_recall(text_of(response), truth) > 0.85
    assert scoring.similarity(text_of(response), truth) > 0.85
    assert "unsupported_script" not in response["flags"]


@needs_tesseract
@pytest.mark.parametrize(
    "code",
    ["he", *(pytest.param(code, marks=pytest.mark.slow) for code in ("ar", "el", "ko", "ru"))],
)
def test_libraries_open_in_every_script(recognizer: PageRecognizer, code: str) -> None:
    response = response_to(recognizer, code)
    letters = [char for char in text_of(response) if char.isalpha()]

    assert LANGUAGES[code].share_of_letters("".join(letters)) > 0.95
    assert "unsupported_script" not in response["flags"]


@needs_tesseract
def test_a_number_in_an_arabic_line_stays_where_it_stands(
    recognizer: PageRecognizer,
) -> None:
    text = text_of(response_to(recognizer, "pages/ar-numbers"))

    assert "رقم الهاتف 5551234 والبريد مفتوح" in text


@needs_tesseract
def test_latin_lines_beside_korean_ones_stay_with_ppocr(recognizer: PageRecognizer) -> None:
    french, korean = picture("fr"), picture("pages/ko")
    width = max(french.shape[1], korean.shape[1])
    parts = [
        np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=255)
        for part in (french, korean)
    ]

    mixed = text_of(response_to_picture(recognizer, np.vstack(parts)))

    assert scoring.word_recall(mixed, text_of(response_to(recognizer, "fr"))) > 0.95
    assert scoring.word_recall(mixed, "\n\n".join(TEXTS["ko"][:2])) > 0.85


@needs_tesseract
def test_a_turned_page_of_another_script_is_made_upright(recognizer: PageRecognizer) -> None:
    turned = np.ascontiguousarray(np.rot90(picture("pages/ru"), 3))

    response = response_to_picture(recognizer, turned)

    assert "turned_90" in response["flags"]
    assert scoring.word_recall(text_of(response), TEXTS["ru"][1]) > 0.85


@needs_tesseract
def test_languages_that_ppocr_reads_switch_the_other_networks_off(
    recognizer: PageRecognizer,
) -> None:
    response = response_to(recognizer, "pages/ko", languages=["en", "de"])

    assert "unsupported_script" in response["flags"]


def test_the_networks_are_the_files_that_the_notice_names() -> None:
    notice = (TESSDATA / "NOTICE.md").read_text(encoding="utf-8")

    for language in LANGUAGES.values():
        assert sha256(language.path.read_bytes()).hexdigest() in notice
