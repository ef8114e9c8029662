"""Repairs line breaks: words divided at a line's end, lines of one paragraph, items of lists."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from dsocr.exports.structure.parts import MARKER, Part

_BULLET = re.compile(r"([ \t]*)[•·▪◦●○‣][ \t]*(?=\S)")
_LONE_MARKER = re.compile(r"([ \t]*(?:[-*+•·▪◦●○‣]|\(?\d{1,3}[.)]))[ \t]*\n[ \t]*(?=\S)")
_DIVIDED = re.compile(r"(?<=[^\W\d_])[-\u2010\u00ad]$")
_MIN_FULL = 40
"""Characters; shorter lines are lines on purpose, as those of an address."""
_FULL = 0.7
"""Of the longest line: a shorter one ends a paragraph."""


def repaired(parts: list[Part]) -> list[Part]:
    """Paragraphs and lists with their lines repaired; other parts stay."""
    return [_repaired(part) for part in parts]


def join_lines(first: str, second: str) -> str:
    """Two lines of one paragraph as one: a divided word is put together."""
    first, second = first.rstrip(), second.lstrip()
    if _DIVIDED.search(first) and second[:1].islower():
        return first[:-1] + second
    return first + blank_between(first, second) + second


def blank_between(first: str, second: str) -> str:
    """No blank between two characters of a script that is written without."""
    return "" if _is_wide(first[-1:]) and _is_wide(second[:1]) else " "


def _repaired(part: Part) -> Part:
    if part.kind == "list":
        return replace(part, text=_list(part.text))
    if part.kind in ("text", "caption", "footnote") and "\n" in part.text:
        return replace(part, text=_paragraph(part.text))
    return part


def _list(text: str) -> str:
    """A line without a marker goes on with the item above it; bullets become `-`."""
    items: list[str] = []
    for line in _LONE_MARKER.sub(r"\1 ", text).split("\n"):
        if items and line.strip() and items[-1].strip() and not _begins_item(line):
            items[-1] = join_lines(items[-1], line)
        else:
            items.append(line)
    return "\n".join(_BULLET.sub(r"\1- ", item) for item in items)


def _begins_item(line: str) -> bool:
    return bool(MARKER.match(line) or _BULLET.match(line))


def _paragraph(text: str) -> str:
    """Joins lines that are as long as lines of a paragraph are."""
    lines = text.split("\n")
    longest = max(map(_length, lines))
    found = [lines[0]]
    for line in lines[1:]:
        above = found[-1].rsplit("\n", 1)[-1]
        if _goes_on(above, lines, longest, line):
            found[-1] = join_lines(found[-1], line)
        else:
            found.append(line)
        lines = lines[1:]
    return "\n".join(found)


def _goes_on(above: str, lines: list[str], longest: int, line: str) -> bool:
    """`lines` begins with the line above as it was printed."""
    if above.endswith(("  ", "\\", "<br>")) or _begins_item(line) or not line.strip():
        return False
    if _DIVIDED.search(above) and line.lstrip()[:1].islower():
        return True
    return longest >= _MIN_FULL and _length(lines[0]) >= _FULL * longest


def _length(line: str) -> int:
    """In widths of Latin letters."""
    return sum(2 if _is_wide(letter) else 1 for letter in line)


def _is_wide(letter: str) -> bool:
    return bool(letter) and not letter.isascii() and unicodedata.east_asian_width(letter) in "WF"
