from __future__ import annotations

import pytest

from dsocr.config import BadSetting, Settings
from dsocr.engines.ppocr.scripts.language_codes import LANGUAGE_CODES
from dsocr.engines.ppocr.scripts.languages import (
    LANGUAGES,
    PPOCR_LANGUAGES,
    candidates_of,
    language_of_script,
    parse_languages,
)
from dsocr.errors import InvalidField
from dsocr.options import OptionLimits, build_options, change_options


def test_codes_names_and_models_name_a_language() -> None:
    assert parse_languages("ko, Arabic,tha,EN,ko,") == ("ko", "ar", "th", "en")
    assert parse_languages("eng,ger,chi_sim,fas") == ("en", "de", "zh", "fa")
    known = {*LANGUAGES, *PPOCR_LANGUAGES}
    assert set(LANGUAGE_CODES.values()) == known
    assert {language.model for language in LANGUAGES.values()} <= set(LANGUAGE_CODES)


def test_an_unknown_language_is_refused_with_the_nearest_one_and_all_known() -> None:
    with pytest.raises(InvalidField, match=r"languages: 'korena'.*nearest is ko .*Known: ko, ar"):
        build_options(OptionLimits(), languages="en,korena")


def test_a_request_without_languages_has_those_of_the_settings() -> None:
    limits = Settings.from_environment({"DEEPSEEK_OCR_LANGUAGES": "ko,en"}).option_limits()
    options = build_options(limits)

    assert options.languages == ("ko", "en")
    assert build_options(limits, languages="th").languages == ("th",)
    assert change_options(options, limits).languages == ("ko", "en")
    assert change_options(options, limits, languages="ar").languages == ("ar",)


def test_an_unknown_language_in_the_settings_is_refused() -> None:
    with pytest.raises(BadSetting, match="DEEPSEEK_OCR_LANGUAGES: 'klingon'"):
        Settings.from_environment({"DEEPSEEK_OCR_LANGUAGES": "klingon"})


def test_only_named_languages_are_tried() -> None:
    assert [language.code for language in candidates_of(["en", "fa"])] == ["fa"]
    assert candidates_of(["en"]) == []
    assert len(candidates_of([])) == len(LANGUAGES)


def test_persian_and_ukrainian_are_known_by_their_own_letters() -> None:
    arabic, persian = LANGUAGES["ar"], LANGUAGES["fa"]
    russian, ukrainian = LANGUAGES["ru"], LANGUAGES["uk"]

    assert language_of_script([(arabic, "كتاب"), (persian, "گفت و گو")]) is persian
    assert language_of_script([(arabic, "كتاب"), (persian, "کتاب")]) is arabic
    assert language_of_script([(russian, "библиотека"), (ukrainian, "бібліотека")]) is ukrainian
    assert language_of_script([(russian, "открыта"), (ukrainian, "открьта")]) is russian
