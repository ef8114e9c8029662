"""Reading processes that record what the networks find on a page, and that replay it.

The outputs of the networks differ in their last bits between processors. What they found is
recorded and given back in their place: lines, their texts, turns, regions, cells. All other code
is the real one, so answers made from a recording are exact on every processor.

A page is known by how it looks: of the recordings with the same size and question it is the one
whose picture, shrunk to 32 x 32 grey pixels, is nearest. A digest of its pixels would change with
the versions of Pillow and pdfium. The calls of a page are counted for each network: its second
call gives what its second call gave. Numbers are rounded, when they are recorded too.

Both are worker targets for tests alone; no setting leads to them.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dsocr.engines.ppocr import recognizer, worker
from dsocr.engines.ppocr.geometry import Characters, Line, Rect, Region
from dsocr.engines.ppocr.networks.layout import LayoutModel
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.orientation import OrientationModel
from dsocr.engines.ppocr.networks.table_model import Cell, TableModel
from dsocr.process.child import Channel, Header

RECORDED = Path(__file__).parents[1] / "data" / "recorded"
RECOGNITION = RECORDED / "recognition.json.gz"
FRESH = RECORDED / "recognition.jsonl"
"""One line a page while it is being recorded."""
DECIMALS = 4
SIDE = 32
SAME_LOOK = 3.0
"""Mean difference of two pictures of one page, in grey levels of 255."""

Page = dict[str, Any]
"""`question`, `look`, and `found`: a list of calls for each network."""


def _quads(found: Any) -> list[Any]:
    return [np.array(quad, np.float32) for quad in found]


def _lines(found: Any) -> list[Line]:
    return [
        Line(
            text,
            Rect(*rect),
            *rest,
            tuple(centres),
            characters=Characters(text, tuple(chances), tuple(gaps)),
        )
        for (text, rect, *rest), centres, chances, gaps in found
    ]


def _regions(found: Any) -> list[Region]:
    return [Region(label, Rect(*rect), score) for label, rect, score in found]


def _cells(found: Any) -> list[Cell]:
    return [Cell(*place, Rect(*rect)) for *place, rect in found]


NETWORKS: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "quads": (Ocr, "detect", _quads),
    "readings": (Ocr, "recognize", _lines),
    "turns": (OrientationModel, "candidates", tuple),
    "regions": (LayoutModel, "detect", _regions),
    "cells": (TableModel, "detect_cells", _cells),
}
"""What is recorded: the method that finds it, and its return value made of plain JSON."""


def serve(channel: Channel, arguments: Header) -> None:
    """The real reading process without its networks."""
    pages = json.loads(gzip.decompress(RECOGNITION.read_bytes()))
    left: dict[str, list[Any]] = {}

    def replayed(name: str, restored: Callable[[Any], Any]) -> Callable[..., Any]:
        def method(self: Any, *given: Any, poll: Callable[[], None] = int, **options: Any) -> Any:
            poll()
            found = left[name].pop(0)
            if name == "readings" and len(found) != len(given[1]):
                raise ValueError(f"{len(given[1])} lines to read, {len(found)} were recorded")
            return restored(found)

        return method

    for name, (owner, method, restored) in NETWORKS.items():
        owner.__init__ = lambda self, networks, **options: None
        setattr(owner, method, replayed(name, restored))

    Ocr.curves = []  # no sample has strongly curved lines

    def begin(page: Page) -> None:
        left.update({name: list(calls) for name, calls in recorded(page, pages)["found"].items()})

    _tell_of_pages(begin, lambda page: None)
    worker.serve(channel, arguments)


def record(channel: Channel, arguments: Header) -> None:
    """The real reading process; it writes what its networks find to `FRESH`."""
    current: Page = {}

    def recording(owner: type, method: str, name: str, restored: Callable[[Any], Any]) -> Any:
        real = getattr(owner, method)

        def recorded_call(*given: Any, **options: Any) -> Any:
            found = plain(real(*given, **options))
            current["found"][name].append(found)
            return restored(found)

        return recorded_call

    for name, (owner, method, restored) in NETWORKS.items():
        setattr(owner, method, recording(owner, method, name, restored))

    def end(page: Page) -> None:
        with FRESH.open("a") as file:
            file.write(json.dumps(page) + "\n")

    _tell_of_pages(current.update, end)
    worker.serve(channel, arguments)


def _tell_of_pages(begin: Callable[[Page], None], end: Callable[[Page], None]) -> None:
    real = recognizer.PageRecognizer.recognize

    def read(self: Any, image: Any, question: Header, *, poll: Callable[[], None]) -> Header:
        page = page_of(image, question)
        begin(page)
        answer = real(self, image, question, poll=poll)
        end(page)
        return answer

    recognizer.PageRecognizer.recognize = read


def page_of(image: Any, question: Header) -> Page:
    asked = [question[name] for name in ("width", "height", "mode", "task", "query")]
    grey = cv2.resize(
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA
    )
    return {
        "question": asked,
        "look": grey.tobytes().hex(),
        "found": {name: [] for name in NETWORKS},
    }


def recorded(page: Page, pages: Sequence[Page]) -> Page:
    """The recording of that page. Raises `LookupError`."""
    alike = [one for one in pages if one["question"] == page["question"]]
    nearest = min(alike, key=lambda one: difference(one, page), default=None)
    if nearest is None or difference(nearest, page) > SAME_LOOK:
        raise LookupError(f"no page like {page['question']} was recorded")
    return nearest


def difference(first: Page, second: Page) -> float:
    """Between two pictures, in grey levels."""
    looks = [np.frombuffer(bytes.fromhex(page["look"]), np.uint8) for page in (first, second)]
    return float(np.abs(looks[0].astype(int) - looks[1]).mean())


def plain(value: Any) -> Any:
    """The value as JSON: data classes as lists of their fields, numbers rounded."""
    if isinstance(value, Line):  # the recording keeps those of characters beside the other fields
        fields = (value.text, value.rect, value.score, value.has_wide_gap, value.rise)
        characters = value.characters or Characters(value.text, (), ())
        return [
            plain(part) for part in (fields, value.centres, characters.chances, characters.gaps)
        ]
    if dataclasses.is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return round(value, DECIMALS) if isinstance(value, float) else value
