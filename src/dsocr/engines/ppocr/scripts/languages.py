"""The languages that the embedded engine reads. Plain data: importing this loads no model."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dsocr.engines.ppocr.scripts.language_codes import LANGUAGE_CODES

TESSDATA = Path(__file__).parent / "tessdata"
"""The networks that come with this package; `NOTICE.md` there says where they are from."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language that Tesseract recognizes for this engine."""

    code: str
    """ISO 639-1."""
    name: str
    model: str
    """The stem of its file in `tessdata`."""
    script: str
    """How the Unicode names of its letters begin."""
    own_letters: str = ""
    """Letters that the first language of the script here does not have."""
    least_own: float = 0.0
    """The share of them by which a text is in this language: half of what is usual."""

    handicap: float = 0.0
    """Added to its scores where languages are compared. Thai's network finds letters in any shapes;
    the Hebrew one is unsure about its own, because it knows neither digits nor stops."""

    @property
    def path(self) -> Path:
        return TESSDATA / f"{self.model}.traineddata"

    def share_of_letters(self, text: str) -> float:
        """The share of the text's letters that are of this script, 0-1; 0 without letters."""
        letters = [char for char in text if char.isalpha()]
        own = sum(unicodedata.name(char, "").startswith(self.script) for char in letters)
        return own / len(letters) if letters else 0.0


LANGUAGES = {
    language.code: language
    for language in (
        Language("ko", "Korean", "kor", "HANGUL"),
        Language("ar", "Arabic", "ara", "ARABIC"),
        Language("fa", "Persian", "fas", "ARABIC", "پچژگ", 0.012),
        Language("he", "Hebrew", "heb", "HEBREW", handicap=0.1),
        Language("hi", "Hindi", "hin", "DEVANAGARI"),
        Language("el", "Greek", "ell", "GREEK"),
        Language("ru", "Russian", "rus", "CYRILLIC"),
        Language("uk", "Ukrainian", "ukr", "CYRILLIC", "іїґІЇҐ", 0.025),
        Language("th", "Thai", "tha", "THAI", handicap=-0.12),
    )
}
"""By code, in the order in which they are tried."""

PPOCR_LANGUAGES = {
    "zh": "Chinese",
    "ja": "Japanese",
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "pl": "Polish",
    "cs": "Czech",
    "sk": "Slovak",
    "sl": "Slovene",
    "hr": "Croatian",
    "hu": "Hungarian",
    "ro": "Romanian",
    "sv": "Swedish",
    "da": "Danish",
    "no": "Norwegian",
    "fi": "Finnish",
    "et": "Estonian",
    "lv": "Latvian",
    "lt": "Lithuanian",
    "tr": "Turkish",
    "id": "Indonesian",
    "ms": "Malay",
    "tl": "Tagalog",
    "sw": "Swahili",
    "la": "Latin",
    "ca": "Catalan",
}
"""Languages in Latin, Chinese and Japanese script, which one network of PP-OCR recognizes."""


def language_of_script(readings: Sequence[tuple[Language, str]]) -> Language:
    """The language of a text that the networks of one script have read: the first, unless another
    one's own letters are there."""
    for language, text in readings[1:]:
        own = sum(char in language.own_letters for char in text)
        if own > language.least_own * sum(map(str.isalpha, text)):
            return language
    return readings[0][0]


def parse_languages(text: str) -> tuple[str, ...]:
    """The codes of `ko,ar`, in this order, each once. Names, the codes of ISO 639-2 and -3, and
    Tesseract's names are known too.

    Raises `ValueError`, naming the nearest language and all that are known.
    """
    words = [word.strip() for word in text.split(",")]
    return tuple(dict.fromkeys(_code_of(word) for word in words if word))


def candidates_of(codes: Sequence[str]) -> list[Language]:
    """The languages whose networks are tried: those among the codes, or all where there are none.

    Naming only languages that PP-OCR reads switches the other networks off.
    """
    if not codes:
        return list(LANGUAGES.values())
    return [language for code, language in LANGUAGES.items() if code in codes]


def _code_of(word: str) -> str:
    names = _names()
    known = word.lower()
    if known in names:
        return names[known]
    nearest = get_close_matches(known[:40], list(names), n=1, cutoff=0.0)[0]
    code = names[nearest]
    name = LANGUAGES[code].name if code in LANGUAGES else PPOCR_LANGUAGES[code]
    codes = ", ".join([*LANGUAGES, *PPOCR_LANGUAGES])
    raise ValueError(
        f"{word[:40]!r} is not a language of this engine; the nearest is {code} ({name}). "
        f"Known: {codes}"
    )


def _names() -> dict[str, str]:
    """Everything by which a language is known, in lower case -> its code."""
    names = {code: code for code in (*LANGUAGES, *PPOCR_LANGUAGES)} | LANGUAGE_CODES
    names |= {name.lower(): code for code, name in PPOCR_LANGUAGES.items()}
    for code, language in LANGUAGES.items():
        names[language.name.lower()] = code
    return names
