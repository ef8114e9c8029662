"""Chooses the orientation in which a page's lines can be recognized."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.lines.quality import LEGIBLE, legibility
from dsocr.engines.ppocr.networks.ocr import Detail, Ocr
from dsocr.engines.ppocr.networks.orientation import Orientation, OrientationModel
from dsocr.engines.ppocr.networks.quads import Pixels, Quad
from dsocr.engines.ppocr.view import View, upright_view

IsRead = Callable[[Pixels, Sequence[Quad], Sequence[Line]], bool]
"""Whether the network of another script reads these lines of an upright picture."""

MIN_CHARACTERS = 20
"""With fewer characters a page has too little text to judge by."""
_GOOD = 0.8
_MIN_ROTATED = 0.7
"""Other scripts upside down look a little like Latin."""
_MIN_GAIN = 0.1
_SAMPLE = 8
_FEW_LETTERS = 3
_LEGIBLE = 0.5
_CERTAIN = 0.93
_WORDS = 8  # letters
_MIN_SHARE = 0.4  # of the certain lines in the better direction


class OrientationSearch:
    """The orientation network's answer, tested by recognizing a few lines."""

    def __init__(self, model: OrientationModel, ocr: Ocr) -> None:
        self._model = model
        self._ocr = ocr

    def upright(
        self,
        image: Pixels,
        detail: Detail,
        poll: Callable[[], None],
        *,
        is_read: IsRead = lambda image, quads, lines: False,
    ) -> tuple[View, list[Quad], Orientation]:
        """The page upright, the lines detected on it, and how it was rotated.

        The first orientation in which a few lines are legible; else 0, unless another is clearly
        better. The network is sometimes certain and wrong, so its answer is only tried first. Where
        `is_read` holds for that one, or for 0, it is settled.
        """
        candidates = self._model.candidates(image)
        tried: dict[Orientation, tuple[float, list[Quad]]] = {}
        samples: dict[Orientation, list[Line]] = {}
        for orientation in candidates:
            poll()
            quads = self._ocr.detect(
                image, longest_side=detail.longest_side, orientation=orientation
            )
            tried[orientation] = (0.0, quads)
            if len(candidates) == 1 or not quads:
                continue
            lines, score = self._test(image, orientation, quads, poll)
            tried[orientation] = (score, quads)
            samples[orientation] = lines
            # A word or two may be legible upside down: then the others are tried as well.
            num_characters = sum(len(line.text) for line in lines)
            # On a page with lines in two directions, both are legible.
            is_settled = num_characters >= MIN_CHARACTERS and (orientation != 180 or 0 in tried)
            if score >= _GOOD and (is_settled or orientation == 0):
                break
            if orientation in (0, candidates[0]) and score < LEGIBLE:
                view = upright_view(image, orientation)
                if is_read(view.image, longest_quads(quads), lines):
                    return view, quads, orientation
        best = _best({orientation: score for orientation, (score, _) in tried.items()})
        if best and _reads_as_given(samples.get(0, []), samples[best]):
            best = 0
        return upright_view(image, best), tried[best][1], best

    def _test(
        self,
        image: Pixels,
        orientation: Orientation,
        quads: Sequence[Quad],
        poll: Callable[[], None],
    ) -> tuple[list[Line], float]:
        """The longest lines in this orientation, and their legibility."""
        sample = longest_quads(quads)
        lines = self._ocr.recognize(upright_view(image, orientation).image, sample, poll=poll)
        return lines, legibility(lines, sample) * horizontal_share(quads)


def _best(scores: dict[Orientation, float]) -> Orientation:
    best = max(scores, key=lambda orientation: scores[orientation])
    if 0 in scores and scores[best] < max(_MIN_ROTATED, scores[0] + _MIN_GAIN):
        return 0
    return best


def _reads_as_given(upright: Sequence[Line], turned: Sequence[Line]) -> bool:
    """Whether the page's lines read as they stand, however well they read turned.

    A character or two look like others when they are turned (6, W, 7), and a page may have lines
    in both directions: then the page as it was given is right.
    """
    letters = sum(char.isalnum() for line in turned for char in line.text)
    if letters <= _FEW_LETTERS:
        return any(line.score >= _LEGIBLE and line.text.strip() for line in upright)
    return _num_certain(upright) >= max(2, _MIN_SHARE * _num_certain(turned))


def _num_certain(lines: Sequence[Line]) -> int:
    """The number of lines whose words cannot be legible in a wrong direction by chance."""
    return sum(
        line.score >= _CERTAIN and sum(map(str.isalnum, line.text)) >= _WORDS for line in lines
    )


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
