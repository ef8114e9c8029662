"""Detects lines of text and recognizes their characters with PP-OCRv6 small.

Knows nothing of paragraphs, of reading order, or of the PDF's text layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Characters, Line
from dsocr.engines.ppocr.networks.network import MODELS, Networks
from dsocr.engines.ppocr.networks.quads import (
    Curve,
    Pixels,
    Quad,
    crop,
    curves_of,
    quads_of,
    rect_around,
    rise_of,
    without_margin,
)
from dsocr.engines.ppocr.networks.strips import Strip, batches_of, strip_of

DETECTION_MODEL = MODELS / "PP-OCRv6_det_small.onnx"
RECOGNITION_MODEL = MODELS / "PP-OCRv6_rec_small.onnx"

_BLANK = 0  # the class that is no character


@dataclass(frozen=True, slots=True)
class Detail:
    """The resolution at which a page is recognized."""

    longest_side: int
    """Side in pixels that the page is shrunk to for detection."""
    squeeze: float = 1.0
    """Factor on the width of the lines for recognition: less is faster and less accurate."""


class Ocr:
    """The detection and the recognition network. One page at a time."""

    def __init__(self, networks: Networks, *, bfloat16: bool = False) -> None:
        """`bfloat16`: recognition computes in it where the processor has it."""
        half = (127.5, 127.5, 127.5)
        detection = networks.load(DETECTION_MODEL)
        self._detector = networks.compile(detection, mean=half, scale=half).create_infer_request()
        recognition = networks.load(RECOGNITION_MODEL)
        characters = recognition.get_rt_info()["framework"]["character"].value.splitlines()
        self._characters = ["", *characters, " "]
        # One line a stream on one thread each beats all threads on one line by a sixth.
        compiled = networks.compile(
            networks.with_shares(recognition),
            mean=half,
            scale=half,
            streams=networks.threads,
            in_bfloat16=bfloat16,
        )
        self._recognizers = networks.queue(compiled)
        self._recognizers.set_callback(self._store)
        self._lines: list[Line | None] = []
        self.curves: list[Curve] = []
        """The strongly curved lines of the last page that was searched, in its pixels."""

    def detect(self, image: Pixels, *, longest_side: int, orientation: int = 0) -> list[Quad]:
        """Lines of text, top to bottom, on the page rotated to the left by so many degrees.

        The page is shrunk to the longest side first: rotating all of a large one takes a second.
        """
        height, width = image.shape[:2]
        scale = min(1.0, longest_side / max(height, width))
        size = (_multiple_of_32(width * scale), _multiple_of_32(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        small = np.rot90(small, orientation // 90)
        self._detector.infer([small[None, :, :, ::-1]])  # the networks were trained on BGR
        probabilities = self._detector.get_output_tensor().data[0, 0]
        stretch = np.array([width / size[0], height / size[1]], np.float32)
        if orientation % 180:
            stretch = stretch[::-1]
        quads = [quad * stretch for quad in quads_of(probabilities)]
        self.curves = [
            Curve(curve.points * stretch, curve.thickness * float(stretch[1]))
            for curve in curves_of(probabilities)
        ]
        return sorted(quads, key=lambda quad: (float(quad[:, 1].min()), float(quad[:, 0].min())))

    def recognize(
        self,
        image: Pixels,
        quads: Sequence[Quad],
        *,
        poll: Callable[[], None],
        squeeze: float = 1.0,
    ) -> list[Line]:
        """One line a quad, in their order. `poll` is called between lines and may raise.

        Small lines of one width are recognized together.
        """
        self._lines = [None] * len(quads)
        strips = []
        for index, quad in enumerate(quads):
            poll()
            strips.append(strip_of(index, crop(image, quad), squeeze))
        try:
            for batch in batches_of(strips):
                poll()
                pixels = np.concatenate([strip.pixels for strip in batch])
                self._recognizers.start_async([pixels], [(quads[s.place], s) for s in batch])
        finally:
            self._recognizers.wait_all()
        return [line for line in self._lines if line is not None]

    def _store(self, request: Any, batch: Sequence[tuple[Quad, Strip]]) -> None:
        logits, shares = (request.get_output_tensor(number).data for number in (0, 1))
        for (quad, strip), scores, probabilities in zip(batch, logits, shares, strict=True):
            classes = scores.argmax(axis=-1)
            self._lines[strip.place] = self._line(quad, strip, classes, probabilities[:, 0])

    def _line(
        self,
        quad: Quad,
        strip: Strip,
        classes: NDArray[np.intp],
        probabilities: NDArray[np.float32],
    ) -> Line:
        """Collapses repeated classes and blanks (CTC) into the line's text."""
        kept = np.flatnonzero((classes != _BLANK) & (classes != np.roll(classes, 1)))
        if len(classes) and classes[0] != _BLANK and (not len(kept) or kept[0] != 0):
            kept = np.concatenate([[0], kept])
        text = "".join(self._characters[number] for number in classes[kept])
        score = float(probabilities[kept].mean()) if len(kept) else 0.0
        centres = np.clip((kept + 0.5) / len(classes) / strip.share, 0.0, 1.0)
        tight = without_margin(quad)
        return Line(
            text,
            rect_around(tight),
            score,
            rise=rise_of(tight),
            centres=tuple(centres.tolist()),
            characters=_characters(text, probabilities, kept),
        )


def _characters(
    text: str, probabilities: NDArray[np.float32], kept: NDArray[np.intp]
) -> Characters:
    """`probabilities` (steps,) are those of the best classes, `kept` the steps with a character."""
    if not len(kept):
        return Characters(text, (), ())
    gaps = np.minimum.reduceat(probabilities, kept)
    return Characters(text, tuple(probabilities[kept].tolist()), tuple(gaps.tolist()))


def _multiple_of_32(side: float) -> int:
    return max(32, round(side / 32) * 32)
