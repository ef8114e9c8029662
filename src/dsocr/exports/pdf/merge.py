"""Puts text layers onto the pages of PDFs, whose own content stays. Runs in a child process: PDFs
may be hostile.

qpdf copies streams from file to file when it saves, so that memory does not grow with the pages'
size.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from pikepdf import Array, Dictionary, Name, Object, Page, Pdf

from dsocr.exports.pdf.old_text import has_text, remove_text
from dsocr.exports.pdf.text_layer import FONT, LayerUse
from dsocr.process.child import Channel, Header, limit_cpu_seconds

_LETTER = (0.0, 0.0, 612.0, 792.0)
"""The size that pdfium gives to a page without one."""
_MAX_PARENTS = 64
_FONT_NAME = Name("/" + FONT.decode())

Sides = tuple[float, float, float, float]


def main(channel: Channel, arguments: Header) -> None:
    """Answers one request: an empty object, or one with `error`."""
    request, _ = channel.receive()
    limit_cpu_seconds(arguments["cpu_seconds"])
    try:
        merge(request)
    except Exception as error:  # qpdf raises many at broken files; any means a broken file
        channel.send({"error": f"{type(error).__name__}: {error}"[:500]})
    else:
        channel.send({})


def merge(request: Header) -> None:
    """`layers` is a PDF with the pages in their order. `plan` has for each of them the source and
    the page in it that it goes onto, a `LayerUse`, and by how many degrees clockwise the page is
    turned; or null for a page that stays as it is. The result is written to `out`."""
    with Pdf.open(request["layers"]) as layers:
        sources = [
            Pdf.open(source["path"], password=source["password"] or "")
            for source in request["sources"]
        ]
        try:
            result = _with_pages(layers, sources, request["plan"])
            result.save(request["out"], deterministic_id=True)
        finally:
            for source in sources:
                source.close()


def _with_pages(layers: Pdf, sources: list[Pdf], plan: list[list[Any] | None]) -> Pdf:
    if _is_whole(sources, plan):
        result = sources[0]  # its outline, labels and form stay
    else:
        result = Pdf.new()
        for number, entry in enumerate(plan):
            page = sources[entry[0]].pages[entry[1]] if entry else layers.pages[number]
            result.pages.append(page)
        result.docinfo["/Title"] = layers.docinfo["/Title"]
    overlay = _Overlay(result)
    for number, entry in enumerate(plan):
        layer = layers.pages[number].obj
        if entry and entry[3]:
            turn(result.pages[number].obj, entry[3])
        if entry and "/Contents" in layer:
            overlay.add(result.pages[number], layer, entry[2])
    return result


def _is_whole(sources: list[Pdf], plan: list[list[Any] | None]) -> bool:
    """Whether the pages are all those of one source, in its order."""
    places = [(entry[0], entry[1]) if entry else None for entry in plan]
    return len(sources) == 1 and places == [(0, number) for number in range(len(sources[0].pages))]


@dataclass(slots=True)
class _Overlay:
    pdf: Pdf
    _font: Object | None = None
    _cleaned: set[tuple[int, int]] = field(default_factory=set)

    def add(self, page: Page, layer: Object, use: LayerUse) -> None:
        """The text comes before the page's own content: there the coordinates are unchanged."""
        if use == "fill" and has_text(page):
            return
        if self._font is None:
            self._font = self.pdf.copy_foreign(layer.Resources.Font[_FONT_NAME])
        if use == "replace":
            remove_text(self.pdf, page, self._cleaned)
        width, height = (float(side) for side in list(layer.MediaBox)[2:])
        numbers = " ".join(f"{number:.5f}" for number in placement(page.obj, width, height))
        before = self.pdf.make_stream(f"q {numbers} cm\n".encode())
        text = self.pdf.copy_foreign(layer.Contents)
        own = page.obj.get("/Contents", Array())
        streams = list(own) if isinstance(own, Array) else [own]
        after = self.pdf.make_stream(b"\nQ\n")
        page.obj.Contents = Array([before, text, after, *streams])
        _add_font(page.obj, self._font)


def turn(page: Object, degrees: int) -> None:
    """Turns how the page is shown, clockwise."""
    page.Rotate = (_rotation(page) + degrees) % 360


def _rotation(page: Object) -> int:
    """A multiple of 90, from 0."""
    rotation = inherited(page, "/Rotate")
    return int(rotation) // 90 % 4 * 90 if isinstance(rotation, int | float) else 0


def _add_font(page: Object, font: Object) -> None:
    """Resources that other pages use too are copied first."""
    resources = copy.copy(inherited(page, "/Resources") or Dictionary())
    fonts = copy.copy(resources.get("/Font", Dictionary()))
    fonts[_FONT_NAME] = font
    resources.Font = fonts
    page.Resources = resources


def inherited(page: Object, key: str) -> Any:
    """An entry of the page or of the nodes above it; None if there is none."""
    node: Any = page
    for _ in range(_MAX_PARENTS):
        if key in node:
            return node[key]
        if "/Parent" not in node:
            return None
        node = node.Parent
    return None


def placement(page: Object, width: float, height: float) -> tuple[float, ...]:
    """The matrix from the upright picture of the page, `width` x `height` with the origin bottom
    left, to the coordinates of the page: its visible box and its rotation."""
    x0, y0, x1, y1 = visible_box(page)
    across, up = x1 - x0, y1 - y0
    turns = _rotation(page) // 90
    if turns == 1:
        return 0, up / width, -across / height, 0, x1, y0
    if turns == 2:
        return -across / width, 0, 0, -up / height, x1, y1
    if turns == 3:
        return 0, -up / width, across / height, 0, x0, y1
    return across / width, 0, 0, up / height, x0, y0


def visible_box(page: Object) -> Sides:
    """The CropBox within the MediaBox, as pdfium shows it."""
    media = _box(inherited(page, "/MediaBox")) or _LETTER
    crop = _box(inherited(page, "/CropBox")) or media
    x0, y0 = max(media[0], crop[0]), max(media[1], crop[1])
    x1, y1 = min(media[2], crop[2]), min(media[3], crop[3])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else media


def _box(value: Any) -> Sides | None:
    """Corners sorted; None for what is no box with an area."""
    try:
        left, bottom, right, top = (float(side) for side in value)
    except (TypeError, ValueError):
        return None
    x0, x1 = sorted((left, right))
    y0, y1 = sorted((bottom, top))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
