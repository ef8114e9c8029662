"""Chooses the orientation in which a page's lines can be recognized."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dsocr.engines.ppocr.lines.quality import legibility
from dsocr.engines.ppocr.networks.ocr import Detail, Ocr
from dsocr.engines.ppocr.networks.orientation import Orientation, OrientationModel
from dsocr.engines.ppocr.networks.quads import Pixels, Quad
from dsocr.engines.ppocr.view import View, upright_view

MIN_CHARACTERS = 20
"""With fewer characters a page has too little text to judge by."""
_GOOD = 0.8
_MIN_ROTATED = 0.7
"""Other scripts upside down look a little like Latin."""
_MIN_GAIN = 0.1
_SAMPLE = 8


class OrientationSearch:
    """The orientation network's answer, tested by recognizing a few lines."""

    def __init__(self, model: OrientationModel, ocr: Ocr) -> None:
        self._model = model
        self._ocr = ocr

    def upright(
        self, image: Pixels, detail: Detail, poll: Callable[[], None]
    ) -> tuple[View, list[Quad], Orientation]:
        """The page upright, the lines detected on it, and how it was rotated.

        The first orientation in which a few lines are legible; else 0, unless another is clearly
        better. The network is sometimes certain and wrong, so its answer is only tried first.
        """
        candidates = self._model.candidates(image)
        tried: dict[Orientation, tuple[float, list[Quad]]] = {}
        for orientation in candidates:
            poll()
            quads = self._ocr.detect(
                image, longest_side=detail.longest_side, orientation=orientation
            )
            tried[orientation] = (0.0, quads)
            if len(candidates) == 1 or not quads:
                continue
            score, num_characters = self._test(image, orientation, quads, poll)
            tried[orientation] = (score, quads)
            # A word or two may be legible upside down: then the others are tried as well.
            if score >= _GOOD and (num_characters >= MIN_CHARACTERS or orientation == 0):
                break
        best = _best({orientation: score for orientation, (score, _) in tried.items()})
        return upright_view(image, best), tried[best][1], best

    def _test(
        self,
        image: Pixels,
        orientation: Orientation,
        quads: Sequence[Quad],
        poll: Callable[[], None],
    ) -> tuple[float, int]:
        """Legibility of the longest lines in this orientation, and their number of characters."""
        sample = longest_quads(quads)
        lines = self._ocr.recognize(upright_view(image, orientation).image, sample, poll=poll)
        score = legibility(lines, sample) * horizontal_share(quads)
        return score, sum(len(line.text) for line in lines)


def _best(scores: dict[Orientation, float]) -> Orientation:
    best = max(scores, key=lambda orientation: scores[orientation])
    if 0 in scores and scores[best] < max(_MIN_ROTATED, scores[0] + _MIN_GAIN):
        return 0
    return best


def longest_quads(quads: Sequence[Quad]) -> list[Quad]:
    """A few of the longest lines: enough to judge an orientation."""
    return sorted(quads, key=lambda quad: float(-np.ptp(quad, axis=0).max()))[:_SAMPLE]


def horizontal_share(quads: Sequence[Quad]) -> float:
    """The share of the lines' length that runs across the page rather than down it, 0-1."""
    across = down = 0.0
    for quad in quads:
        width, height = np.ptp(quad, axis=0)
        if width >= height:
            across += float(width)
        else:
            down += float(height)
    return across / (across + down) if quads else 0.0
