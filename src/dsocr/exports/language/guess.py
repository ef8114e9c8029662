"""Guesses a document's language from its letters and its most frequent words.

It decides what a word processor's spelling check expects and what a comma in a number means.
Nothing of a document's content depends on it.
"""

from __future__ import annotations

import re
from collections import Counter

from dsocr.exports.language.script import SCRIPTS

MIN_WORDS = 3
"""Fewer known words say nothing."""
MAX_CHARACTERS = 200_000
"""Of a document that are looked at."""

_WORDS: dict[str, str] = {
    "en-US": "the and of to is that with for this are was from",
    "de-DE": "der die das und ist nicht mit den von zu ein auf",
    "fr-FR": "le les des et est une dans pour du sur au qui",
    "es-ES": "el los las y por una del con para es al como",
    "it-IT": "il che di della per gli non sono una nel con dei",
    "pt-PT": "o os não uma dos para com em as na ao da",
    "nl-NL": "het een van niet dat voor op zijn met aan ook te",
    "pl-PL": "w z na nie się do jest że przez oraz dla od",
}
_TAGS = {
    "ja": "ja-JP",
    "ko": "ko-KR",
    "zh": "zh-CN",
    "ar": "ar-SA",
    "he": "he-IL",
    "ru": "ru-RU",
    "el": "el-GR",
    "hi": "hi-IN",
    "th": "th-TH",
}
_SCRIPTS = (
    *((_TAGS[language], letters) for language, letters in SCRIPTS),
    ("latin", re.compile("[A-Za-z\u00c0-\u024f]")),
)
_KANA_SHARE = 0.1
"""Of the Chinese characters: Japanese has more kana than that."""
_EAST_ASIAN_WEIGHT = 2
"""A Chinese character or a syllable says as much as so many letters of a word."""
_DECIMAL_COMMA = ("de-DE", "fr-FR", "es-ES", "it-IT", "pt-PT", "nl-NL", "pl-PL", "ru-RU", "el-GR")
_DECIMAL_POINT = ("en-US", "zh-CN", "ja-JP", "ko-KR", "he-IL", "hi-IN", "th-TH")
_EAST_ASIAN = ("ja-JP", "ko-KR", "zh-CN")


class LanguageGuess:
    """Takes the text of a document in parts."""

    def __init__(self) -> None:
        self._letters: Counter[str] = Counter()
        self._words: Counter[str] = Counter()
        self._room = MAX_CHARACTERS

    def add(self, text: str) -> None:
        text = text[: self._room]
        self._room -= len(text)
        for language, letters in _SCRIPTS:
            self._letters[language] += len(letters.findall(text))
        self._words.update(re.findall(r"[^\W\d_]+", text.casefold()))

    def language(self) -> str | None:
        """A language tag such as "de-DE"; None where there is too little text."""
        script = self._script()
        return self._by_words() if script == "latin" else script

    def east_asian(self) -> str:
        """The East Asian language whose forms Chinese characters take."""
        if self._letters["ja-JP"] > _KANA_SHARE * self._letters["zh-CN"]:
            return "ja-JP"
        return "ko-KR" if self._letters["ko-KR"] > self._letters["zh-CN"] else "zh-CN"

    def _script(self) -> str | None:
        counts = self._letters.copy()
        for language in _EAST_ASIAN:
            counts[language] *= _EAST_ASIAN_WEIGHT
        if counts["ja-JP"] > _KANA_SHARE * counts["zh-CN"]:
            counts["ja-JP"] += counts.pop("zh-CN")
        script, count = counts.most_common(1)[0] if counts else ("", 0)
        return script if count else None

    def _by_words(self) -> str | None:
        found = {
            language: sum(self._words[word] for word in words.split())
            for language, words in _WORDS.items()
        }
        best = max(found, key=lambda language: found[language])
        return best if found[best] >= MIN_WORDS else None


def decimal_sign(language: str | None) -> str | None:
    """ "," or "." as the language writes decimals; None where that is not known."""
    if language in _DECIMAL_COMMA:
        return ","
    return "." if language in _DECIMAL_POINT else None
