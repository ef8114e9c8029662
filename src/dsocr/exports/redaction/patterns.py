"""Patterns of what to redact: words, `/regular expressions/`, and classes such as `email`.

Patterns may come from strangers: their number, their length and the time to match are bounded.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Iterator, Sequence

import regex

from dsocr.errors import BadRequest, InvalidField
from dsocr.exports.redaction.normal import folded

MAX_PATTERNS = 100
MAX_CHARACTERS = 500
MIN_SPACED = 4
"""Letters of words from which on they are also found with blanks between the letters."""
SEARCH_SECONDS = 1.0
"""Of one search in the text of one page."""
BASE_SECONDS, PAGE_SECONDS = 30.0, 0.5
"""Of all searches in one document, and more for each of its pages."""

_DOT = r"(?:\(dot\)|\[dot\])"
_NO_SENTENCE = r"(?:(?-i:\p{Ll})[\w-]{0,62}|(?-i:[A-Z]{2,63})(?!\w))"
"""A part of a domain after a dot with a blank, as recognition writes some: not the first word of
the next sentence."""
CLASSES = {
    "email": rf"(?<![\w.%+'-])[\w.%+'-]++(?:{_DOT}[\w.%+'-]++){{0,4}}+ ?(?:@|\(at\)|\[at\]) ?"
    rf"[\w-]{{1,63}}(?:(?:\.[\w-]{{1,63}}){{1,8}}|(?: ?(?:\.|{_DOT}) ?{_NO_SENTENCE}){{1,8}})",
    "number": r"(?<!\d)\d++(?:[ .,:/'-]\d+)*",
    "iban": r"(?<!\w)[A-Z]{2} ?\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)"
    r"|(?<!\w)[A-Z]{2} ?\d{2}(?:[ -]?\d){10,26}",
    "phone": r"(?<!\w)(?:\+ ?\d|\(\+?\d|0\d)[\d ()/.-]{4,20}\d(?!\w)"
    r"|(?<!\w)[2-9]\d{2}[ .-]\d{3}[ .-]\d{4}(?!\w)",
    "card": r"(?<!\d)(?:\d{13,19}|\d{4}[ -]?\d{6}[ -]?\d{5}"
    r"|\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,4}(?:[ -]?\d{1,3})?)(?!\d)",
}
_FLAGS = regex.VERSION1 | regex.IGNORECASE | regex.FULLCASE
_EMAIL_SIGNS = ("@", "(at)", "[at]")
"""Without one of these a text is not searched for addresses, which takes long."""
_LETTER = r"[\p{L}\p{M}\p{N}]"
_NO_BLANKS = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
)
"""Scripts that join words, or particles to words: a word has no visible end."""


def compile_patterns(patterns: Sequence[str]) -> list[regex.Pattern[str]]:
    """Raises `InvalidField` with what is wrong, which does not repeat the pattern."""
    if len(patterns) > MAX_PATTERNS:
        raise InvalidField(f"redact: at most {MAX_PATTERNS} patterns")
    return [_compiled(pattern, number) for number, pattern in enumerate(patterns, start=1)]


def bounded(expression: str, text: str) -> str:
    """The expression for `text` where this is not a part of a longer word."""
    before = f"(?<!{_LETTER})" if _has_edge(text[0]) else ""
    after = f"(?!{_LETTER})" if _has_edge(text[-1]) else ""
    return before + expression + after


def _has_edge(letter: str) -> bool:
    return letter.isalnum() and not _NO_BLANKS.match(letter)


def _compiled(pattern: str, number: int) -> regex.Pattern[str]:
    if not pattern.strip():
        raise InvalidField(f"redact: pattern {number} is empty")
    if len(pattern) > MAX_CHARACTERS:
        raise InvalidField(f"redact: pattern {number} has more than {MAX_CHARACTERS} characters")
    try:
        flags = _FLAGS & ~regex.FULLCASE if pattern in CLASSES else _FLAGS
        return regex.compile(_expression(pattern, number), flags)
    except (regex.error, RecursionError, OverflowError) as error:
        reason = getattr(error, "msg", "it is too deep")
        raise InvalidField(f"redact: pattern {number} is no regular expression: {reason}") from None


def _expression(pattern: str, number: int) -> str:
    if pattern in CLASSES:
        return CLASSES[pattern]
    if len(pattern) > 2 and pattern[0] == pattern[-1] == "/":
        return unicodedata.normalize("NFC", pattern[1:-1])
    words = folded(pattern)
    if not words:
        raise InvalidField(f"redact: pattern {number} has no letters")
    plain = " ?".join(map(re.escape, words.split()))
    letters = words.replace(" ", "")
    if len(letters) < MIN_SPACED:
        return bounded(plain, words)
    spaced = " ?".join(map(re.escape, letters))  # does not find the two letters of a ligature
    return bounded(f"(?:{plain}|{spaced})", words)


def _may_have_email(text: str) -> bool:
    return any(sign in text.casefold() for sign in _EMAIL_SIGNS)


class Searcher:
    """Searches with all patterns, within the limits of time."""

    def __init__(self, patterns: Sequence[str], num_pages: int = 0) -> None:
        self._patterns = compile_patterns(patterns)
        self._left = BASE_SECONDS + PAGE_SECONDS * num_pages

    def spans(self, text: str, echoes: Sequence[str] = ()) -> Iterator[tuple[int, int]]:
        """Where a pattern matches. Raises `BadRequest` when the time is over.

        `echoes` are regular expressions of ours beside the patterns.
        """
        ours = [regex.compile("|".join(echoes), _FLAGS)] if echoes else []
        for pattern in (*self._patterns, *ours):
            if pattern.pattern == CLASSES["email"] and not _may_have_email(text):
                continue
            began = time.monotonic()
            limit = max(0.001, min(SEARCH_SECONDS, self._left))
            try:
                found = [
                    match.span()
                    for match in pattern.finditer(text, timeout=limit, concurrent=True)
                    if match.end() > match.start()
                ]
            except TimeoutError:
                raise BadRequest(
                    "redact: matching took too long. Write a simpler regular expression."
                ) from None
            self._left -= time.monotonic() - began
            yield from found
