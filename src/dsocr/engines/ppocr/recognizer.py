"""Recognizes a page: the embedded engine as the sequence of its steps.

Boxes change their unit twice. The text layer's fractions become pixels of the page when its lines
are taken, and what leaves here is in fractions of the page as it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2

from dsocr.engines.ppocr.blocks.compose import ComposedPage, compose_page
from dsocr.engines.ppocr.blocks.drafts import BlockDraft
from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.lines.layer.layer_recognition import layer_lines
from dsocr.engines.ppocr.lines.locate import NOT_FOUND, locate
from dsocr.engines.ppocr.lines.orientation import OrientationSearch
from dsocr.engines.ppocr.lines.quality import BLANK, UNCHECKED_TEXT, UNSUPPORTED_SCRIPT
from dsocr.engines.ppocr.lines.recognition import DETAILS, LineRecognizer, PageLines
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.orientation import OrientationModel
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.networks.structure import StructureModels
from dsocr.engines.ppocr.response import encode_response
from dsocr.engines.ppocr.review.flags import with_review_flags
from dsocr.engines.ppocr.review.page import PageReview, Words, review
from dsocr.engines.ppocr.view import View
from dsocr.process.child import Header
from dsocr.types import Block, TextLine

_MAX_SIDE = 16384
"""Longer pages are shrunk. OpenCV warps no image of more than 32,766 pixels a side."""
_MAX_AVERAGED_SIDE = 64 * _MAX_SIDE
"""A longer page ends one pixel wide, whatever it shows; averaging takes 12 bytes a pixel."""

_CUT_OUT = 160
"""Longest side in pixels of a picture of hardly more than a word."""


class PageRecognizer:
    """The networks, loaded once, and the order of the steps. One page at a time."""

    def __init__(self, threads: int, *, bfloat16: bool = False) -> None:
        """`bfloat16`: lines are recognized in it where the processor has it."""
        networks = Networks(threads)
        self._ocr = Ocr(networks, bfloat16=bfloat16)
        orientation = OrientationSearch(OrientationModel(networks), self._ocr)
        self._lines = LineRecognizer(self._ocr, orientation)
        self._structure = StructureModels(networks)
        _ = self._structure.layout  # every page uses it; the table network is loaded for a table

    def recognize(self, image: Pixels, request: Header, *, poll: Callable[[], None]) -> Header:
        """The response of `response.py` for an RGB image. `poll` is called between steps.

        `request` has `task`, `mode`, `query` (of `locate`), `text_lines`, `hidden_lines`,
        `image_share` and `languages`.
        """
        image = _enlarge(_shrink(image))
        page = self._layer_lines(image, request, poll) or self._lines.recognize(
            image, DETAILS[request["mode"]], poll, languages=request["languages"]
        )
        poll()
        composed, empty_flag = self._compose(page, request)
        is_unread = UNSUPPORTED_SCRIPT in page.flags and empty_flag == BLANK
        flags = page.flags if composed.blocks or is_unread else [*page.flags, empty_flag]
        scored = UNCHECKED_TEXT not in page.flags
        reviewed = review(self._ocr, page.view.image, composed.lines, poll)
        figures = [draft for draft in composed.blocks if draft.label == "image"]
        covered = [rect for draft in figures for rect in draft.rects]
        flags = with_review_flags(flags, reviewed, page.view.image, covered)
        return encode_response(
            [_block(page.view, draft, reviewed, scored=scored) for draft in composed.blocks],
            [
                _text_line(page.view, line, words)
                for line, words in zip(composed.lines, reviewed.words, strict=True)
            ],
            flags,
            reviewed.share,
        )

    def _layer_lines(
        self, image: Pixels, request: Header, poll: Callable[[], None]
    ) -> PageLines | None:
        return layer_lines(
            image,
            request["text_lines"] or (),
            request["hidden_lines"],
            image_share=request["image_share"],
            ocr=self._ocr,
            poll=poll,
        )

    def _compose(self, page: PageLines, request: Header) -> tuple[ComposedPage, str]:
        """The blocks of the task with the lines, and the flag for a page without blocks.

        Only markdown and plain text have a reading order; lines stay from top to bottom elsewhere.
        """
        if request["task"] == "locate":
            return ComposedPage(_located(request["query"], page.lines), page.lines), NOT_FOUND
        if request["task"] == "ocr":
            drafts = [_line_block(line) for line in page.lines]
            return ComposedPage(drafts, page.lines), BLANK
        return compose_page(page.view.image, page.lines, models=self._structure), BLANK


def _line_block(line: Line) -> BlockDraft:
    return BlockDraft("line", line.text, (line.rect,), line.score)


def _located(query: str, lines: Sequence[Line]) -> list[BlockDraft]:
    rects = tuple(locate(query, lines))
    return [BlockDraft("line", query, rects, None)] if rects else []


def _shrink(image: Pixels) -> Pixels:
    """The image, no longer than `_MAX_SIDE`."""
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= _MAX_SIDE:
        return image
    scale = _MAX_SIDE / longest
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if longest > _MAX_AVERAGED_SIDE:
        steps = (max(1, height // _MAX_AVERAGED_SIDE), max(1, width // _MAX_AVERAGED_SIDE))
        image = image[:: steps[0], :: steps[1]]
    small: Pixels = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small


def _enlarge(image: Pixels) -> Pixels:
    """The image; a cut-out of a word or two at twice its size, at which it is recognized better."""
    if max(image.shape[:2]) > _CUT_OUT:
        return image
    large: Pixels = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return large


def _block(view: View, draft: BlockDraft, reviewed: PageReview, *, scored: bool) -> Block:
    boxes = tuple(view.box(rect) for rect in draft.rects)
    score, in_doubt = reviewed.block(draft.rects) if draft.text else (None, False)
    confidence = draft.score if scored else None
    return Block(draft.label, draft.text, boxes, confidence, score, in_doubt)


def _text_line(view: View, line: Line, words: Words) -> TextLine:
    score = None if line.from_layer else line.score
    return TextLine(line.text.strip(), view.box(line.rect), score, words)
