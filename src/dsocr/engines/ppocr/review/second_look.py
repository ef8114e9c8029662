"""Recognizes doubtful lines once more, softened and with another margin, to compare the words."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.quads import Pixels, Quad
from dsocr.engines.ppocr.review.words import word_spans

_BLUR = 1.0  # pixels
_MARGIN = 0.15  # of a line's height


def looks_again(
    ocr: Ocr, image: Pixels, lines: Sequence[Line], poll: Callable[[], None]
) -> list[Counter[str]]:
    """The words of each line as a second look finds them, folded. `lines` are level."""
    if not lines:
        return []
    softened = cv2.GaussianBlur(image, (0, 0), _BLUR)
    seen = ocr.recognize(softened, [_wider(line) for line in lines], poll=poll)
    return [Counter(_words(line.text)) for line in seen]


def _words(text: str) -> list[str]:
    return [folded(text[start:end]) for start, end in word_spans(text)]


def folded(word: str) -> str:
    """The word without width, case and signs at its ends."""
    plain = unicodedata.normalize("NFKC", word).casefold()
    return "".join(char for char in plain if char.isalnum()) or plain


def _wider(line: Line) -> Quad:
    rect, margin = line.rect, _MARGIN * line.rect.height
    x0, y0, x1, y1 = rect.x0 - margin, rect.y0 - margin, rect.x1 + margin, rect.y1 + margin
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
