"""What a page's flags say of its words as a whole, and of text that is not among them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.lines.quality import LOW_CONFIDENCE, UNSUPPORTED_SCRIPT
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.review.page import PageReview
from dsocr.engines.ppocr.review.unread import UNREAD_TEXT, has_unread_text, shrunk

_MIN_MEAN = 0.8
"""Mean score of the words: below it a third of them and more are wrong on degraded pages."""
_SEARCHED_SIDE = 1000
_BLACK, _WHITE = 70, 200  # grey levels
_MIN_BLACK_AND_WHITE = 0.9  # of the page: a photograph has less
_INK = (0.01, 0.5)  # of the page: print, and no black sheet


def with_review_flags(
    flags: Sequence[str], reviewed: PageReview, image: Pixels, figures: Sequence[Rect]
) -> list[str]:
    """The page's flags with those that its words and its ink call for."""
    found = list(flags)
    if UNSUPPORTED_SCRIPT in found:
        return found
    if reviewed.mean is not None and reviewed.mean < _MIN_MEAN:
        found.append(LOW_CONFIDENCE)
    lines = reviewed.lines
    if has_unread_text(image, lines, figures) if lines else is_illegible_print(image):
        found.append(UNREAD_TEXT)
    return list(dict.fromkeys(found))


def is_illegible_print(image: Pixels) -> bool:
    """Whether a page without lines is black on white as print is: a fax beyond recognition."""
    scale = min(1.0, _SEARCHED_SIDE / max(image.shape[:2]))
    small = shrunk(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), scale)
    black, white = float((small < _BLACK).mean()), float((small > _WHITE).mean())
    return black + white >= _MIN_BLACK_AND_WHITE and _INK[0] <= black <= _INK[1]
