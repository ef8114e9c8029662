"""The reading process: the engine as the list of its steps. `reader.py` is the other side."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsocr.child import Channel, Header
from dsocr.engines.embedded import text_layer
from dsocr.engines.embedded.line import Line, Rect
from dsocr.engines.embedded.locate import NOT_FOUND, evenly, locate
from dsocr.engines.embedded.network import Networks
from dsocr.engines.embedded.ocr import Ocr, Pixels, Quad, Reading
from dsocr.engines.embedded.quality import BLANK, LEGIBLE, confidence, flags, legibility
from dsocr.engines.embedded.turn import (
    Turn,
    TurnModel,
    View,
    long_ones,
    share_across,
    straightened,
    turned_back,
)

log = logging.getLogger(__name__)

_NICENESS = 5
"""Reading takes every core there is; whoever answers requests goes first."""

LONGEST_SIDES = {"tiny": 736, "small": 960, "base": 1280, "large": 1600, "gundam": 1920}
"""What detection shrinks a page to, by mode."""


_LOOK_SIDE = 960
"""Enough to see whether there is text that the PDF's own layer lacks."""
_MIN_SCORE = 0.5
_READS_WELL = 0.8
_WORTH_TURNING = 0.1


@dataclass(frozen=True, slots=True)
class Found:
    """A block on the view it was read on."""

    label: str
    text: str
    rects: tuple[Rect, ...]
    confidence: float | None


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page's lines, and the view in whose pixels they stand."""

    view: View
    readings: list[Reading]
    flags: list[str]

    @property
    def lines(self) -> list[Line]:
        return [reading.line for reading in self.readings]


class _Dropped(Exception):
    """Nobody waits for this page any more."""


def serve(channel: Channel, arguments: Header) -> None:
    """Answers pages until the other side is gone."""
    os.nice(_NICENESS)
    try:
        page_reader = PageReader(arguments["threads"])
    except (FileNotFoundError, ImportError) as error:
        channel.send({"problem": f"missing: {error}"})
        return
    channel.send({})
    while True:
        question, pixels = channel.receive()
        if "cancel" in question:  # for a page that was just answered
            continue
        image = np.frombuffer(pixels, np.uint8).reshape(question["height"], question["width"], 3)
        try:
            answer = page_reader.read(image, question, poll=_listen(channel, question["page"]))
        except _Dropped:
            answer = {"dropped": True}
        except Exception as error:  # one page's bug costs that page; models stay loaded
            log.exception("reading a page failed")
            answer = {"problem": type(error).__name__}
        channel.send(answer)


def _listen(channel: Channel, page: int) -> Callable[[], None]:
    """Raises once the other side has given this page up."""

    def poll() -> None:
        while channel.waiting():
            message, _ = channel.receive()
            if message.get("cancel") == page:
                raise _Dropped

    return poll


class PageReader:
    """Everything needed to read a page, loaded once; and the order of the steps."""

    def __init__(self, threads: int) -> None:
        networks = Networks(threads)
        self._ocr = Ocr(networks)
        self._turns = TurnModel(networks)

    def read(self, image: Pixels, question: Header, *, poll: Callable[[], None]) -> Header:
        """Blocks in reading order (label, text, boxes in given pixels, confidence), and flags."""
        side = LONGEST_SIDES[question["mode"]]
        page = self._own_text(image, question, poll) or self._seen_text(image, side, poll)
        if not page.readings:
            return {"blocks": [], "flags": [NOT_FOUND if question["task"] == "locate" else BLANK]}
        if question["task"] == "locate":
            return _places(page, question["query"])
        if question["task"] == "ocr":
            blocks = [Found("line", line.text, (line.rect,), line.score) for line in page.lines]
        else:
            blocks = [_paragraph(lines) for lines in _paragraphs(page.lines)]
        return {"blocks": [_as_given(page.view, block) for block in blocks], "flags": page.flags}

    def _own_text(
        self, image: Pixels, question: Header, poll: Callable[[], None]
    ) -> ReadPage | None:
        """The PDF's text where it can be believed, with what is seen beside it read."""
        height, width = image.shape[:2]
        lines = text_layer.lines_in_pixels(question["text_lines"] or (), width=width, height=height)
        if not text_layer.is_text(lines):
            return None
        sample = text_layer.sample(lines)
        quads = [text_layer.quad_of(line.rect) for line in sample]
        readings = self._ocr.read(image, quads, poll=poll)
        legible = legibility(readings, quads) >= LEGIBLE
        share = question["image_share"]
        if not text_layer.agrees(sample, readings, legible=legible, image_share=share):
            return None
        seen = self._ocr.detect(image, longest_side=_LOOK_SIDE)
        others = self._ocr.read(image, text_layer.uncovered(seen, lines), poll=poll)
        own = [Reading(line, evenly(line.text)) for line in lines]
        return ReadPage(turned_back(image, 0), [*own, *_believable(others)], [])

    def _seen_text(self, image: Pixels, side: int, poll: Callable[[], None]) -> ReadPage:
        """Everything by recognition: the page laid upright, its lines found and read."""
        view, quads, turn = self._upright(image, side, poll)
        view, quads = straightened(view, quads)
        readings = self._ocr.read(view.image, quads, poll=poll)
        believed = _believable(readings)
        marks = flags([reading.line for reading in believed], legibility(readings, quads))
        return ReadPage(view, believed, [*([f"turned_{turn}"] if turn else []), *marks])

    def _upright(
        self, image: Pixels, side: int, poll: Callable[[], None]
    ) -> tuple[View, list[Quad], Turn]:
        """The first turn in which a few lines can be read well; else as given, unless it is worse.

        The network is sometimes sure and wrong, so its answer is only tried first.
        """
        candidates = self._turns.candidates(image)
        tried: dict[Turn, tuple[float, View, list[Quad]]] = {}
        for turn in candidates:
            poll()
            view = turned_back(image, turn)
            quads = self._ocr.detect(view.image, longest_side=side)
            if len(candidates) == 1:
                return view, quads, turn
            few = long_ones(quads)
            readings = self._ocr.read(view.image, few, poll=poll)
            score = legibility(readings, few) * share_across(quads)
            tried[turn] = (score, view, quads)
            if score >= _READS_WELL:
                break
        best = max(tried, key=lambda turn: tried[turn][0])
        if 0 in tried and tried[best][0] < max(LEGIBLE, tried[0][0] + _WORTH_TURNING):
            best = 0
        _, view, quads = tried[best]
        return view, quads, best


def _believable(readings: Sequence[Reading]) -> list[Reading]:
    return [
        reading
        for reading in readings
        if reading.line.score >= _MIN_SCORE and reading.line.text.strip()
    ]


def _places(page: ReadPage, query: str) -> Header:
    rects = locate(query, page.readings)
    if not rects:
        return {"blocks": [], "flags": [*page.flags, NOT_FOUND]}
    found = Found("line", query, tuple(rects), None)
    return {"blocks": [_as_given(page.view, found)], "flags": page.flags}


def _as_given(view: View, block: Found) -> list[Any]:
    rects = [view.given(rect) for rect in block.rects]
    return [
        block.label,
        block.text,
        [[rect.x0, rect.y0, rect.x1, rect.y1] for rect in rects],
        block.confidence,
    ]


def _paragraphs(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines, top to bottom, each put below the last line that it continues."""
    paragraphs: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (round(line.rect.y0 / 10), line.rect.x0)):
        for paragraph in reversed(paragraphs):
            if _continues(paragraph[-1].rect, line.rect):
                paragraph.append(line)
                break
        else:
            paragraphs.append([line])
    return paragraphs


def _continues(above: Rect, below: Rect) -> bool:
    overlap = min(above.x1, below.x1) - max(above.x0, below.x0)
    gap = below.y0 - above.y1
    return overlap > 0 and -0.5 * above.height < gap < 0.8 * above.height


def _paragraph(lines: Sequence[Line]) -> Found:
    rect = lines[0].rect
    for line in lines[1:]:
        rect = rect.union(line.rect)
    return Found("text", "\n".join(line.text for line in lines), (rect,), confidence(lines))
