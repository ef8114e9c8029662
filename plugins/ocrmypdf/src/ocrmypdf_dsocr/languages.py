"""The languages of OCRmyPDF's option `-l`, in the codes that its users know."""

from __future__ import annotations

from collections.abc import Sequence

_CODES = {
    "zh": "chi_sim chi_sim_vert chi_tra chi_tra_vert chi zho",
    "ja": "jpn jpn_vert",
    "en": "eng",
    "de": "deu ger",
    "fr": "fra fre",
    "es": "spa",
    "it": "ita",
    "pt": "por",
    "nl": "nld dut",
    "pl": "pol",
    "cs": "ces cze",
    "sk": "slk slo",
    "sl": "slv",
    "hr": "hrv",
    "hu": "hun",
    "ro": "ron rum",
    "sv": "swe",
    "da": "dan",
    "no": "nor nob nno",
    "fi": "fin",
    "et": "est",
    "lv": "lav",
    "lt": "lit",
    "tr": "tur",
    "id": "ind",
    "ms": "msa may",
    "tl": "tgl fil",
    "sw": "swa",
    "la": "lat",
    "ca": "cat",
    "ko": "kor kor_vert",
    "ar": "ara",
    "fa": "fas per",
    "he": "heb",
    "hi": "hin",
    "el": "ell gre",
    "ru": "rus",
    "uk": "ukr",
    "th": "tha",
}
"""ISO 639-1, as dsocr names a language -> ISO 639-2 and -3, and Tesseract's names."""

LANGUAGES = {word: code for code, words in _CODES.items() for word in (code, *words.split())}
"""Each code that can be given -> ISO 639-1."""
_DEFAULT = ("en",)


def codes_of(languages: Sequence[str]) -> tuple[str, ...]:
    """The codes for dsocr. English alone is what OCRmyPDF sends when no language is given: then
    the engine finds the languages of each page itself."""
    codes = tuple(dict.fromkeys(LANGUAGES[each] for each in languages if each in LANGUAGES))
    return () if codes == _DEFAULT else codes
