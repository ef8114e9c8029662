"""Puts captions beside their figures and tables: after a figure, whose link says it too, and before
a table."""

from __future__ import annotations

import re
from dataclasses import replace

from dsocr.exports.captions import MAX_CHARACTERS, numbered_kind
from dsocr.exports.structure.parts import FIGURE, Part
from dsocr.exports.text import plain


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
    return len(part.text) <= MAX_CHARACTERS and (
        part.kind == "caption" or (part.kind == "text" and numbered_kind(part.text) is not None)
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
    by_label = "table" if caption.label == "table_caption" else "figure"
    return numbered_kind(caption.text) or by_label


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
