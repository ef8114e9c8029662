"""The language that the script of a text tells, where it tells one."""

from __future__ import annotations

import re

SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7a3]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
"""The letters of each script that one language stands for."""
_LETTER = re.compile(r"[^\W\d_]")


def language_of(text: str) -> str | None:
    """A language tag, or None for scripts of many languages, such as Latin."""
    if text.isascii():
        return None
    half = len(_LETTER.findall(text)) / 2
    for language, letters in SCRIPTS:
        count = len(letters.findall(text))
        # Japanese mixes kana with Chinese characters.
        if count and (count > half or (language == "ja" and count > half / 4)):
            return language
    return None
