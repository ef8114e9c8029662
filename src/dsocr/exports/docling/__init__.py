"""DoclingDocument JSON, version 1.3.0: what docling-core loads.

The lists of texts, tables, pictures and pages are gathered in files beside each other while the
pages are gone through once, so that memory does not grow with the document.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from json import dumps
from mimetypes import guess_type
from typing import Any, BinaryIO, cast

from dsocr.exports import Assets
from dsocr.exports.docling.items import Item, items_of
from dsocr.exports.docling.tables import table_data
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.types import Document, PageResult

VERSION = "1.3.0"
_MEMORY_BYTES = 1 << 20
_LISTS = ("groups", "texts", "pictures", "tables")

Node = dict[str, Any]


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """UTF-8. Boxes are pixels of the upright page, from its top left. Figures have no images."""
    with ExitStack() as stack:
        lists = _Lists(stack)
        has_title = False
        for page in document.pages:
            items = list(items_of(page, has_title=has_title))
            has_title = has_title or any(item.label == "title" for item in items)
            _PageWriter(lists, page).write(items)
        out.write(_json(_head(document))[:-1])
        body = _json(_root("body"))
        out.write(b', "furniture": ' + _json(_root("furniture")) + b', "body": ' + body[:-2])
        lists.copy("body", out)
        out.write(b"]}")
        for name in _LISTS:
            out.write(f', "{name}": ['.encode())
            lists.copy(name, out)
            out.write(b"]")
        out.write(b', "pages": {')
        lists.copy("pages", out)
        out.write(b'}, "key_value_items": [], "form_items": []}\n')


def _head(document: Document) -> Node:
    media_type = guess_type(document.name)[0] or "application/pdf"
    origin = {"mimetype": media_type, "binary_hash": 0, "filename": document.name}
    name = {"schema_name": "DoclingDocument", "version": VERSION, "name": document.name}
    return {**name, "origin": origin}


def _root(layer: str) -> Node:
    """Its JSON ends with the list of its children."""
    name = {"content_layer": layer, "name": "_root_", "label": "unspecified"}
    return {"self_ref": f"#/{layer}", **name, "children": []}


class _Lists:
    """Entries of JSON in files, and the number of each."""

    def __init__(self, stack: ExitStack) -> None:
        names = ("body", "pages", *_LISTS)
        self._files = {name: stack.enter_context(_new_file()) for name in names}
        self._counts = dict.fromkeys(names, 0)

    def next(self, name: str) -> str:
        """The reference that the next entry will have."""
        return f"#/{name}/{self._counts[name]}"

    def add(self, name: str, content: Node, key: str = "") -> None:
        file, number = self._files[name], self._counts[name]
        file.write((b",\n" if number else b"\n") + key.encode() + _json(content))
        self._counts[name] = number + 1

    def count(self, name: str) -> int:
        return self._counts[name]

    def copy(self, name: str, out: BinaryIO) -> None:
        self._files[name].seek(0)
        shutil.copyfileobj(self._files[name], out)


class _PageWriter:
    def __init__(self, lists: _Lists, page: PageResult) -> None:
        self._lists = lists
        self._page = page
        self._number = lists.count("pages") + 1

    def write(self, items: Sequence[Item]) -> None:
        size = {"width": self._page.width, "height": self._page.height}
        entry = {"page_no": self._number, "size": size}
        self._lists.add("pages", entry, f'"{self._number}": ')
        for place, run in _runs(items):
            if run[0].label == "list_item":
                self._list(run)
            elif run[0].label in ("table", "picture"):
                self._with_captions(items, place)
            else:
                self._text(run[0], "#/body")

    def _list(self, items: Sequence[Item]) -> None:
        group = self._lists.next("groups")
        first = self._lists.count("texts")
        children = [{"$ref": f"#/texts/{first + number}"} for number in range(len(items))]
        label = "ordered_list" if items[0].is_enumerated else "list"
        node = self._node(group, "#/body", label, children)
        self._lists.add("groups", node | {"name": "list"})
        self._lists.add("body", {"$ref": group})
        for item in items:
            self._text(item, group)

    def _text(self, item: Item, parent: str) -> None:
        reference = self._lists.next("texts")
        node = self._node(reference, parent, item.label)
        node |= {"prov": self._prov(item), "orig": item.text, "text": item.text}
        if item.label == "section_header":
            node["level"] = item.level
        if item.label == "list_item":
            node |= {"enumerated": item.is_enumerated, "marker": item.marker}
        if item.label in ("page_header", "page_footer"):
            node["content_layer"] = "furniture"
        self._lists.add("texts", node)
        if parent == "#/body":
            self._lists.add("body", {"$ref": reference})

    def _with_captions(self, items: Sequence[Item], place: int) -> None:
        """A table or a picture; a caption right before or after it is its own."""
        item, captions = items[place], []
        last = self._lists.count("texts") - 1
        if place and items[place - 1].label == "caption":
            captions.append({"$ref": f"#/texts/{last}"})
        elif place + 1 < len(items) and items[place + 1].label == "caption":
            captions.append({"$ref": f"#/texts/{last + 1}"})
        name = "tables" if item.label == "table" else "pictures"
        reference = self._lists.next(name)
        node = self._node(reference, "#/body", item.label)
        node |= {"prov": self._prov(item), "captions": captions, "references": []}
        node["footnotes"] = []
        if item.grid is not None:
            node["data"] = table_data(item.grid)
        self._lists.add(name, node)
        self._lists.add("body", {"$ref": reference})

    def _node(self, reference: str, parent: str, label: str, children: Sequence[Node] = ()) -> Node:
        place = {"self_ref": reference, "parent": {"$ref": parent}, "children": list(children)}
        return {**place, "content_layer": "body", "label": label}

    def _prov(self, item: Item) -> list[Node]:
        if item.box is None:
            return []
        width, height = self._page.width, self._page.height
        left, top, right, bottom = item.box.pixels(width, height)
        box = {"l": left, "t": top, "r": right, "b": bottom, "coord_origin": "TOPLEFT"}
        return [{"page_no": self._number, "bbox": box, "charspan": [0, len(item.text)]}]


def _runs(items: Sequence[Item]) -> Iterator[tuple[int, list[Item]]]:
    """The items one by one with their places; those of one list together, with numbers or
    without."""
    place = 0
    while place < len(items):
        end = place + 1
        if items[place].label == "list_item":
            while end < len(items) and _continues_list(items[place], items[end]):
                end += 1
        yield place, list(items[place:end])
        place = end


def _continues_list(first: Item, item: Item) -> bool:
    return item.label == "list_item" and item.is_enumerated == first.is_enumerated


def _new_file() -> BinaryIO:
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(_MEMORY_BYTES))


def _json(value: Node) -> bytes:
    return dumps(value, ensure_ascii=False).encode()
