"""The reading process: the engine as the list of its steps. `supervisor.py` is the other side."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from dsocr.engines.ppocr.blocks.compose import LayoutModels, compose_blocks
from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines import text_layer
from dsocr.engines.ppocr.lines.gutters import apart, cut_at_gutters
from dsocr.engines.ppocr.lines.layer_gaps import cut_at_gaps
from dsocr.engines.ppocr.lines.locate import NOT_FOUND, evenly, locate
from dsocr.engines.ppocr.lines.quality import (
    BLANK,
    LEGIBLE,
    UNCHECKED_TEXT,
    UNSUPPORTED_SCRIPT,
    believed_characters,
    flags,
    is_sure,
    legibility,
)
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.ocr import Detail, Ocr, Pixels, Quad, Reading
from dsocr.engines.ppocr.networks.orientation import (
    Turn,
    TurnModel,
    View,
    long_ones,
    share_across,
    straightened,
    turned_back,
)
from dsocr.errors import EngineCrashed, EngineUnavailable
from dsocr.process.child import Channel, Header
from dsocr.types import Block

log = logging.getLogger(__name__)

_NICENESS = 5
"""Reading takes every core there is; whoever answers requests goes first."""

DETAILS = {
    "tiny": Detail(960, squeeze=0.75),
    "small": Detail(1120, squeeze=0.85),
    "base": Detail(1280),
    "large": Detail(1600),
    "gundam": Detail(1920),
}
"""How closely a page is looked at, by mode."""


_MAX_PAGES = 2
"""One is read, the next is there."""
_BEAT_SECONDS = 1.0
_LOOK_SIDE = 960
"""Enough to see whether there is text that the PDF's own layer lacks."""
_LONGEST_SIDE = 16384
"""Pages are at most so long here. OpenCV warps no picture of more than 32,766 pixels a side."""
_TOO_LONG = 64 * _LONGEST_SIDE
"""Such a page ends one pixel wide, whatever it shows; to average its pixels takes 12 bytes each."""
_FEW_CHARACTERS = 20
"""Fewer make a page worth another look: large detection misses a short line on a wide page."""
_SMALLER_LOOKS = (960, 736)
_MIN_SCORE = 0.5
_READS_WELL = 0.8
_READS_TURNED = 0.7
"""Other scripts on their heads look a little like Latin."""
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
        message = f"The embedded engine cannot start, missing: {error}"
        channel.send({"kind": "unusable", "code": EngineUnavailable.code, "message": message})
        return
    channel.send({"kind": "ready", "max_pages": _MAX_PAGES})
    inbox = _Inbox(channel)
    while True:
        question, pixels = inbox.take()
        page = {"id": question["id"]}
        channel.send({"kind": "started", **page})
        image = np.frombuffer(pixels, np.uint8).reshape(question["height"], question["width"], 3)
        try:
            channel.send(
                {"kind": "done", **page, **page_reader.read(image, question, poll=inbox.poll)}
            )
        except _Dropped:
            continue
        except Exception as error:  # one page's bug costs that page; models stay loaded
            log.exception("reading a page failed")
            message = f"The engine failed on this page ({type(error).__name__})."
            code = EngineCrashed.code
            channel.send({"kind": "failed", **page, "code": code, "message": message})


class _Inbox:
    """What the other side sent: pages in their order, less those that nobody waits for."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: deque[tuple[Header, bytearray]] = deque()
        self._current: int | None = None
        self._beaten = time.monotonic()

    def take(self) -> tuple[Header, bytearray]:
        """The next page; waits for it."""
        self._current = None
        while not self._waiting:
            self._sort(*self._channel.receive())
        question, pixels = self._waiting.popleft()
        self._current = question["id"]
        return question, pixels

    def poll(self) -> None:
        """Between two steps: tells that there is progress; raises once the page was given up."""
        if time.monotonic() - self._beaten >= _BEAT_SECONDS:
            self._beaten = time.monotonic()
            self._channel.send({"kind": "heartbeat"})
        while self._channel.has_input():
            self._sort(*self._channel.receive())
        if self._current is None:
            raise _Dropped

    def _sort(self, header: Header, pixels: bytearray) -> None:
        if header["kind"] == "read":
            self._waiting.append((header, pixels))
            return
        if header["id"] == self._current:
            self._current = None
        self._waiting = deque(one for one in self._waiting if one[0]["id"] != header["id"])


class PageReader:
    """Everything needed to read a page, loaded once; and the order of the steps."""

    def __init__(self, threads: int) -> None:
        networks = Networks(threads)
        self._ocr = Ocr(networks)
        self._turns = TurnModel(networks)
        self._layout = LayoutModels(networks)
        _ = self._layout.layout  # every page needs it; the table network waits for a table

    def read(self, image: Pixels, question: Header, *, poll: Callable[[], None]) -> Header:
        """Blocks in reading order (label, text, boxes in given pixels, confidence), and flags."""
        detail = DETAILS[question["mode"]]
        image, stretch = _within(image, _LONGEST_SIDE)
        page = self._own_text(image, question, poll) or self._seen_text(image, detail, poll)
        poll()
        found, nothing = self._blocks(page, question)
        if UNCHECKED_TEXT in page.flags:  # nobody knows how right it is
            found = [replace(block, confidence=None) for block in found]
        unread = UNSUPPORTED_SCRIPT in page.flags and nothing == BLANK
        marks = page.flags if found or unread else [*page.flags, nothing]
        blocks = [_as_given(page.view, block, stretch) for block in found]
        return {"blocks": blocks, "flags": marks}

    def _blocks(self, page: ReadPage, question: Header) -> tuple[list[Found], str]:
        """What was asked for, and the flag that says there is none."""
        if question["task"] == "locate":
            rects = tuple(locate(question["query"], page.readings))
            return ([Found("line", question["query"], rects, None)] if rects else []), NOT_FOUND
        if question["task"] == "ocr":
            return [
                Found("line", line.text, (line.rect,), line.score) for line in page.lines
            ], BLANK
        blocks = compose_blocks(page.view.image, page.lines, models=self._layout)
        return [_found(block, page.view) for block in blocks], BLANK

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
        others = text_layer.as_tall_as(lines, text_layer.worth_adding(others, lines), seen)
        cut = cut_at_gaps(lines, image)
        own = [Reading(line, evenly(line.text)) for line in cut]
        marks = [] if legible else [UNCHECKED_TEXT]
        return ReadPage(turned_back(image, 0), [*own, *others], marks)

    def _seen_text(self, image: Pixels, detail: Detail, poll: Callable[[], None]) -> ReadPage:
        """Everything by recognition; where that is next to nothing, the best of several looks."""
        best = self._look(image, detail, poll)
        for side in _SMALLER_LOOKS:
            if side >= detail.longest_side or believed_characters(best.lines) >= _FEW_CHARACTERS:
                continue
            page = self._look(image, replace(detail, longest_side=side), poll, only_sure=True)
            if believed_characters(page.lines) > believed_characters(best.lines):
                best = page
        return best

    def _look(
        self,
        image: Pixels,
        detail: Detail,
        poll: Callable[[], None],
        *,
        only_sure: bool = False,
    ) -> ReadPage:
        """The page laid upright, its lines found and read."""
        view, quads, turn = self._upright(image, detail, poll)
        view, quads = straightened(view, quads)
        quads = apart(view.image, cut_at_gutters(view.image, quads))
        readings = self._ocr.read(view.image, quads, poll=poll, squeeze=detail.squeeze)
        if only_sure:
            quads = [
                quad for quad, reading in zip(quads, readings, strict=True) if is_sure(reading.line)
            ]
            readings = [reading for reading in readings if is_sure(reading.line)]
        believed = _believable(readings)
        lines = [reading.line for reading in believed]
        marks = flags(lines, legibility(readings, quads), seen=len(quads))
        return ReadPage(view, believed, [*([f"turned_{turn}"] if turn else []), *marks])

    def _upright(
        self, image: Pixels, detail: Detail, poll: Callable[[], None]
    ) -> tuple[View, list[Quad], Turn]:
        """The first turn in which a few lines can be read well; else as given, unless it is worse.

        The network is sometimes sure and wrong, so its answer is only tried first.
        """
        candidates = self._turns.candidates(image)
        tried: dict[Turn, tuple[float, list[Quad]]] = {}
        for turn in candidates:
            poll()
            quads = self._ocr.detect(image, longest_side=detail.longest_side, turn=turn)
            tried[turn] = (0.0, quads)
            if len(candidates) == 1 or not quads:
                continue
            few = long_ones(quads)
            readings = self._ocr.read(turned_back(image, turn).image, few, poll=poll)
            score = legibility(readings, few) * share_across(quads)
            tried[turn] = (score, quads)
            # A word or two on their head may read well too: then the other turns are tried.
            enough = sum(len(reading.line.text) for reading in readings) >= _FEW_CHARACTERS
            if score >= _READS_WELL and (enough or turn == 0):
                break
        best = max(tried, key=lambda turn: tried[turn][0])
        if 0 in tried and tried[best][0] < max(_READS_TURNED, tried[0][0] + _WORTH_TURNING):
            best = 0
        return turned_back(image, best), tried[best][1], best


def _believable(readings: Sequence[Reading]) -> list[Reading]:
    return [
        reading
        for reading in readings
        if reading.line.score >= _MIN_SCORE and reading.line.text.strip()
    ]


def _within(image: Pixels, longest: int) -> tuple[Pixels, tuple[float, float]]:
    """The picture, no longer than that, and how much wider and higher the given one is."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image, (1.0, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if max(height, width) > _TOO_LONG:
        image = image[:: max(1, height // _TOO_LONG), :: max(1, width // _TOO_LONG)]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small, (width / size[0], height / size[1])


def _found(block: Block, view: View) -> Found:
    height, width = view.image.shape[:2]
    rects = (
        Rect(box.x0 * width, box.y0 * height, box.x1 * width, box.y1 * height)
        for box in block.boxes
    )
    return Found(block.label, block.text, tuple(rects), block.confidence)


def _as_given(view: View, block: Found, stretch: tuple[float, float]) -> list[Any]:
    across, down = stretch
    rects = [view.given(rect) for rect in block.rects]
    return [
        block.label,
        block.text,
        [[rect.x0 * across, rect.y0 * down, rect.x1 * across, rect.y1 * down] for rect in rects],
        block.confidence,
    ]
