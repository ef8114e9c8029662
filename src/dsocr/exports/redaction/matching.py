"""Finds what to redact in a text, and takes it out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import regex

from dsocr.exports.redaction.normal import (
    BORDER,
    ENDS,
    MASK,
    MASK_LETTER,
    Normal,
    Unit,
    compact,
    units_of,
    with_ends,
)
from dsocr.exports.redaction.patterns import Searcher, bounded

Spans = list[tuple[int, int]]
MAX_ROUNDS = 4
_KEPT = re.compile(r"[<>|*`~]")
"""Markup that stays between two parts of a match."""
MIN_ECHO = 4
"""Letters of a match from which on it is also found with other blanks and signs in it."""


def find(
    searcher: Searcher, text: str, echoes: Sequence[str] = (), *, is_markdown: bool = False
) -> Spans:
    """The parts of `text` that are matched, in order; markup between them is left out.

    What a first match leaves is searched again, so that nothing in the redacted text matches.
    """
    units, normals = _compared(text, is_markdown)
    covered: set[tuple[int, int]] = set()
    for _ in range(MAX_ROUNDS):
        found = _covered(searcher, text, normals, echoes) - covered
        if not found:
            break
        covered |= found
        units = [(MASK_LETTER, *unit[1:]) if unit[1:] in covered else unit for unit in units]
        normals = _normals(units)
    return sorted(covered)


@lru_cache(maxsize=8)
def _compared(text: str, is_markdown: bool) -> tuple[list[Unit], list[Normal]]:
    """A page's texts are searched again once its other texts are."""
    units = units_of(text, is_markdown=is_markdown)
    return units, _normals(units)


def _normals(units: list[Unit]) -> list[Normal]:
    made = (with_ends(units, ends) for ends in ENDS)
    return list({normal.text: normal for normal in made}.values())


def _covered(
    searcher: Searcher, text: str, normals: list[Normal], echoes: Sequence[str]
) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for normal in normals:
        for start, end in searcher.spans(normal.text, echoes):
            if is_content(normal.text[start:end]):
                found.update(_places(text, normal.units[start:end]))
    return found


def _places(text: str, units: list[Unit]) -> Iterator[tuple[int, int]]:
    """Of the characters of a match, and of what is left out between them; not of markup."""
    at = units[0][1]
    for letter, start, end in units:
        if at < start and not _KEPT.search(text[at:start]):
            yield at, start
        if letter != BORDER and not (letter.isspace() and _KEPT.search(text[start:end])):
            yield start, end
        at = end


def is_content(text: str) -> bool:
    """Whether anything of it is no blank, no border and not redacted."""
    return any(not letter.isspace() and letter not in BORDER + MASK_LETTER for letter in text)


def masked(text: str, spans: Spans) -> str:
    """The text with a mask for each run of covered characters. What is not seen between two of
    them goes too."""
    parts: list[str] = []
    at = -1  # the end of the run that is open
    kept = 0
    for start, end in spans:
        between = text[at:start] if at >= 0 else ""  # spans may overlap
        if at < 0 or (between and units_of(between, is_markdown=True)):
            parts += [text[kept:start], MASK]
        elif _KEPT.search(between):
            parts.append(between)
        at = kept = max(at, end)
    return "".join([*parts, text[kept:]])


def covered_text(text: str, spans: Spans) -> str:
    """The letters and digits that are taken out."""
    return compact("".join(pieces(text, spans)))


def pieces(text: str, spans: Spans) -> list[str]:
    """The matches, as runs of covered characters."""
    runs: list[list[int]] = []
    for start, end in spans:
        if runs and start <= runs[-1][1]:
            runs[-1][1] = max(runs[-1][1], end)
        else:
            runs.append([start, end])
    return [text[start:end] for start, end in runs]


def echo(piece: str, shortest: int = MIN_ECHO) -> str | None:
    """A regular expression for the same letters with other blanks and signs between them."""
    letters = compact(piece)
    if len(letters) < shortest:
        return None
    gap = r"[^\p{L}\p{N}\ue000\n]{0,3}"
    return bounded(gap.join(map(regex.escape, letters)), letters)
