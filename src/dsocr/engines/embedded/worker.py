"""The reading process: the engine as the list of its steps. `reader.py` is the other side."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dsocr.child import Channel, Header
from dsocr.engines.embedded.line import Line, Rect
from dsocr.engines.embedded.network import Networks
from dsocr.engines.embedded.ocr import Ocr, Pixels

log = logging.getLogger(__name__)

_NICENESS = 5
"""Reading takes every core there is; whoever answers requests goes first."""

LONGEST_SIDES = {"tiny": 736, "small": 960, "base": 1280, "large": 1600, "gundam": 1920}
"""What detection shrinks a page to, by mode."""


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
    """Everything needed to read a page, loaded once."""

    def __init__(self, threads: int) -> None:
        self._ocr = Ocr(Networks(threads))

    def read(self, image: Pixels, question: Header, *, poll: Callable[[], None]) -> Header:
        """Blocks in reading order: label, text, boxes in pixels, confidence."""
        quads = self._ocr.detect(image, longest_side=LONGEST_SIDES[question["mode"]])
        readings = self._ocr.read(image, quads, poll=poll)
        lines = [reading.line for reading in readings if reading.line.score >= 0.5]
        return {"blocks": [_paragraph(lines) for lines in _paragraphs(lines)], "flags": []}


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


def _paragraph(lines: Sequence[Line]) -> list[Any]:
    rect = lines[0].rect
    for line in lines[1:]:
        rect = rect.union(line.rect)
    confidence = sum(line.score for line in lines) / len(lines)
    text = "\n".join(line.text for line in lines)
    return ["text", text, [[rect.x0, rect.y0, rect.x1, rect.y1]], confidence]
