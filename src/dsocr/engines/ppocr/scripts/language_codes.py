"""The codes of languages in other standards than ISO 639-1."""

from __future__ import annotations

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
"""ISO 639-1 -> ISO 639-2 and -3, and Tesseract's names."""

LANGUAGE_CODES = {word: code for code, words in _CODES.items() for word in words.split()}
"""Each of them -> ISO 639-1."""
