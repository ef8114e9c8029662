"""Text as the full-text index has it, and excerpts of what was found.

The tokenizer of the index takes a run of letters for one word. Chinese, Japanese, Korean and Thai
are written without blanks between words, so their characters are set apart: each is a word of the
index, and a search for two of them is a search for these characters in a row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from dsocr.jobs.job import TextPart

EXCERPT_CHARACTERS = 60
"""Before the first match of an excerpt; after it, twice as many."""
MAX_TERMS = 16
"""Of a query; further ones are left out."""

MAX_WORD = 500
"""Characters of a word of a vector; PostgreSQL allows 2 kB."""

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff])"
)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,400}>")


class _Letters(dict[int, str]):
    """For the code of a character: its letters in lower case without accents."""

    def __missing__(self, code: int) -> str:
        letters = unicodedata.normalize("NFKD", chr(code)).lower()
        self[code] = "".join(each for each in letters if not unicodedata.combining(each))
        return self[code]


_LETTERS = _Letters()


def indexed(text: str) -> str:
    """The words of a text with blanks between them, without HTML tags."""
    return _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFKC", plain(text)))


def plain(text: str) -> str:
    """On one line, without HTML tags."""
    return " ".join(_TAG.sub(" ", text).split())


def terms(query: str) -> list[str]:
    """The parts of a query that a page must have; none without a letter or digit."""
    words = unicodedata.normalize("NFKC", query).split()
    return [word for word in words if any(map(str.isalnum, word))][:MAX_TERMS]


def vector(text: str) -> str:
    """The words of an indexed text with their places, as a PostgreSQL `tsvector` is written."""
    return " ".join(f"'{word}':{place}" for place, word in enumerate(_words(text), 1))


def vector_query(wanted: Sequence[str]) -> str:
    """All terms, each a phrase whose last word may go on, as a PostgreSQL `tsquery` is written."""
    phrases = (" <-> ".join(f"'{word}'" for word in _words(indexed(term))) for term in wanted)
    return " & ".join(f"({phrase}:*)" for phrase in phrases)


def _words(text: str) -> list[str]:
    """Runs of letters and digits in lower case without accents, as FTS5 splits them."""
    return [word[:MAX_WORD] for word in _WORD.findall(text.translate(_LETTERS))]


def excerpt(text: str, query: str) -> tuple[TextPart, ...]:
    """The text around the first match, with all matches in it as parts of their own."""
    text = plain(text)
    spans = _spans(text, terms(query))
    first = spans[0][0] if spans else 0
    start = max(0, first - EXCERPT_CHARACTERS)
    end = min(len(text), first + 2 * EXCERPT_CHARACTERS)
    if start:
        start = text.find(" ", start, first) + 1 or start
    return tuple(_parts(text, spans, start, end))


def num_matches(text: str, query: str) -> int:
    """How many of the query's terms a text has."""
    folded, _ = _folded(plain(text))
    return sum(_pattern(term).search(folded) is not None for term in terms(query))


def _parts(text: str, spans: Sequence[tuple[int, int]], start: int, end: int) -> Iterator[TextPart]:
    at = start
    if start:
        yield TextPart("… ", False)
    for first, last in spans:
        if first < at or last > end:
            continue
        if first > at:
            yield TextPart(text[at:first], False)
        yield TextPart(text[first:last], True)
        at = last
    if at < end:
        yield TextPart(text[at:end] + (" …" if end < len(text) else ""), False)


def _spans(text: str, wanted: Sequence[str]) -> list[tuple[int, int]]:
    """Where the terms are, in order; each begins at the beginning of a word of the index."""
    folded, places = _folded(text)
    found = {
        (places[match.start()], places[match.end() - 1] + 1)
        for term in wanted
        for match in _pattern(term).finditer(folded)
    }
    return sorted(found)


def _pattern(term: str) -> re.Pattern[str]:
    words = re.findall(r"\w+", _folded(_UNSPACED.sub(r" \1 ", term))[0])
    between = r"[\W_]*"
    begins = "" if _UNSPACED.match(term) else r"(?<![^\W_])"
    return re.compile(begins + between.join(map(re.escape, words)))


def _folded(text: str) -> tuple[str, list[int]]:
    """Lower case without accents, and the place in `text` of each of its characters."""
    folded = [
        (letter, place)
        for place, character in enumerate(text)
        for letter in _LETTERS[ord(character)]
    ]
    return "".join(letter for letter, _ in folded), [place for _, place in folded]
