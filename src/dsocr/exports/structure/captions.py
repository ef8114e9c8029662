"""Puts captions beside their figures and tables: after a figure, whose link says it too, and before
a table."""

from __future__ import annotations

import re
from dataclasses import replace

from dsocr.exports.structure.parts import FIGURE, Part
from dsocr.exports.text import plain

_MAX_CHARACTERS = 400
_TABLE_WORD = r"table|tab\.|tabelle|tableau|tabla|tabela|tabella|таблица|表"
_FIGURE_WORD = r"fig(?:ure|\.)?|abb(?:ildung|\.)|figura|рис(?:унок|\.)|图|圖|図"
_START = re.compile(
    rf"(?:(?P<table>{_TABLE_WORD})|{_FIGURE_WORD})\s*\d+[a-z]?\s*[.:：．|—–-]", re.I
)


def with_bound_captions(parts: list[Part]) -> list[Part]:
    """A caption belongs to the figure or table before or after it, at most one part between."""
    found = list(parts)
    for caption in [part for part in parts if _is_caption(part)]:
        place = found.index(caption)
        target = _target(found, place)
        if target is not None:
            _bind(found, place, target)
    return found


def _is_caption(part: Part) -> bool:
    return len(part.text) <= _MAX_CHARACTERS and (
        part.kind == "caption" or (part.kind == "text" and bool(_START.match(part.text)))
    )


def _target(parts: list[Part], place: int) -> int | None:
    wanted = _wanted(parts[place])
    near = (place - 1, place + 1) if wanted == "figure" else (place + 1, place - 1)
    for other in (*near, place - 2, place + 2):
        if 0 <= other < len(parts) and parts[other].kind == wanted and _is_free(parts[other]):
            return other
    return None


def _is_free(owner: Part) -> bool:
    """Whether it is no figure whose link has a caption."""
    link = FIGURE.fullmatch(owner.text.strip())
    return link is None or not link[1]


def _wanted(caption: Part) -> str:
    start = _START.match(caption.text)
    if start:
        return "table" if start["table"] else "figure"
    return "table" if caption.label == "table_caption" else "figure"


def _bind(parts: list[Part], place: int, target: int) -> None:
    caption, owner = parts[place], parts[target]
    if owner.kind == "figure":
        words = re.sub(r"[\[\]\s]+", " ", plain(caption.text)).strip()
        text = FIGURE.sub(lambda link: f"![{words}]({link[2]})", owner.text)
        pair = [replace(owner, text=text), replace(caption, kind="caption")]
    else:
        pair = [replace(caption, kind="caption"), owner]
    first, last = sorted((place, target))
    between = parts[first + 1 : last]
    parts[first : last + 1] = [*pair, *between] if place > target else [*between, *pair]
