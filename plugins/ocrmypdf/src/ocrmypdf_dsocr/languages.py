"""The languages of OCRmyPDF's option `-l`, in the codes that its users know."""

from __future__ import annotations

from collections.abc import Sequence

from dsocr.engines.ppocr.scripts.language_codes import LANGUAGE_CODES

LANGUAGES = {code: code for code in LANGUAGE_CODES.values()} | LANGUAGE_CODES
"""Each code that can be given -> ISO 639-1."""
_DEFAULT = ("en",)


def codes_of(languages: Sequence[str]) -> tuple[str, ...]:
    """The codes for dsocr. English alone is what OCRmyPDF sends when no language is given: then
    the engine finds the languages of each page itself."""
    codes = tuple(dict.fromkeys(LANGUAGES[each] for each in languages if each in LANGUAGES))
    return () if codes == _DEFAULT else codes
