"""DocTags: a document in the tags of docling's models, with places from 0 to 500 on each axis."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import BinaryIO

from dsocr.exports import Assets
from dsocr.exports.docling.items import Item, items_of
from dsocr.exports.docling.tables import otsl
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.types import Document

GRID = 500
_TAG = re.compile(r"<(?=/?[a-z_]+\d*>)")


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """UTF-8; the pages in order, `<page_break>` between them. A page that failed says why."""
    out.write(b"<doctag>")
    has_title = False
    for number, page in enumerate(document.pages):
        items = list(items_of(page, has_title=has_title))
        has_title = has_title or any(item.label == "title" for item in items)
        text = "\n".join(_tags(items))
        out.write((("\n<page_break>\n" if number else "") + text).encode())
    out.write(b"\n</doctag>\n")


def _tags(items: Sequence[Item]) -> Iterator[str]:
    taken: set[int] = set()
    numbered = list(enumerate(items))
    for kind, run in groupby(numbered, lambda each: _list_kind(each[1])):
        if kind:
            yield _list(kind, [item for _, item in run])
            continue
        for place, item in run:
            if place not in taken:
                yield _tag(item, _caption(items, place, taken))


def _caption(items: Sequence[Item], place: int, taken: set[int]) -> str:
    """The caption after a table or a picture stands inside it."""
    after = place + 1
    is_owner = items[place].label in ("table", "picture")
    if not is_owner or after >= len(items) or items[after].label != "caption":
        return ""
    taken.add(after)
    return _tag(items[after])


def _list_kind(item: Item) -> str:
    """The tag of the list that the item belongs to; empty for what is not in a list."""
    if item.label != "list_item":
        return ""
    return "ordered_list" if item.is_enumerated else "unordered_list"


def _list(name: str, items: Sequence[Item]) -> str:
    return f"<{name}>" + "\n".join(map(_tag, items)) + f"</{name}>"


def _tag(item: Item, inside: str = "") -> str:
    name = {"section_header": f"section_header_level_{item.level}", "table": "otsl"}.get(
        item.label, item.label
    )
    content = otsl(item.grid) if item.grid is not None else _text(item)
    if item.label == "code":
        content = "<_unknown_>" + content
    return f"<{name}>{_places(item)}{inside}{content}</{name}>"


def _text(item: Item) -> str:
    """A text that has tags of its own does not act as tags."""
    return _TAG.sub("&lt;", item.text)


def _places(item: Item) -> str:
    if item.box is None:
        return ""
    sides = (item.box.x0, item.box.y0, item.box.x1, item.box.y1)
    return "".join(f"<loc_{round(side * GRID)}>" for side in sides)
