"""Finds the lines of text on a page and reads them: PP-OCRv6 small.

The model files are those inside the `rapidocr` wheel; its code is never imported (it would bring a
downloader and a logger of its own). Knows nothing of paragraphs, order, or the PDF's own text.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.network import Networks

Pixels = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Quad = NDArray[np.float32]
"""(4, 2) corners in pixels, seen along the text: top left, top right, bottom right, bottom left."""

DETECTION_MODEL = "PP-OCRv6_det_small.onnx"
RECOGNITION_MODEL = "PP-OCRv6_rec_small.onnx"

_INK = 0.3  # probability above which a pixel belongs to text
_MIN_BOX_SCORE = 0.5
_GROWTH = 1.8  # the network marks a line's core; the box grows by area * this / outline
_LETTERS = 0.8  # of a box's height; the rest is air, which would make neighbouring lines overlap
_MIN_SIDE = 3.0
_MAX_QUADS = 3000
_LINE_HEIGHT = 48  # what recognition was trained on
_MIN_WIDTH = 64
_WIDTH_STEP = 32  # widths are rounded up to this, so that few shapes are ever compiled
_MAX_WIDTH = 3200
_TALLEST = 16 * _LINE_HEIGHT
"""Of what is laid straight at full size: a box around a whole large page took 5 s."""
_GREY = 127
_BLANK = 0  # the class that is no character


@dataclass(frozen=True, slots=True)
class Detail:
    """How closely to look."""

    longest_side: int
    """What detection shrinks a page to, in pixels."""
    squeeze: float = 1.0
    """Width of the lines that are read, of what it would be: less is faster and reads less."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A line, and where each of its characters stands along it."""

    line: Line
    centres: tuple[float, ...]
    """One a character: 0 at the line's start, 1 at its end."""


def model_folder() -> Path:
    """Where the wheel keeps its models. Raises `FileNotFoundError` when it is not installed."""
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package rapidocr, which carries the OCR models")
    return Path(spec.submodule_search_locations[0]) / "models"


class Ocr:
    """Both networks. One page at a time."""

    def __init__(self, networks: Networks) -> None:
        folder = model_folder()
        half = (127.5, 127.5, 127.5)
        detection = networks.read(folder / DETECTION_MODEL)
        self._detector = networks.compile(detection, mean=half, scale=half).create_infer_request()
        recognition = networks.read(folder / RECOGNITION_MODEL)
        characters = recognition.get_rt_info()["framework"]["character"].value.splitlines()
        self._characters = ["", *characters, " "]
        # A line a stream with one thread each beats all threads on one line by a sixth.
        compiled = networks.compile(
            networks.best_classes(recognition), mean=half, scale=half, streams=networks.threads
        )
        self._recognisers = networks.queue(compiled)
        self._recognisers.set_callback(self._keep)
        self._answers: list[Reading | None] = []

    def detect(self, image: Pixels, *, longest_side: int, turn: int = 0) -> list[Quad]:
        """Where text stands, top to bottom, once the page is turned to the left by so many degrees.

        The page is shrunk to the longest side first: turning all of a large one takes a second.
        """
        height, width = image.shape[:2]
        scale = min(1.0, longest_side / max(height, width))
        size = (_multiple(width * scale), _multiple(height * scale))
        small = np.rot90(cv2.resize(image, size, interpolation=cv2.INTER_AREA), turn // 90)
        self._detector.infer([small[None, :, :, ::-1]])  # the networks were trained on BGR
        ink = self._detector.get_output_tensor().data[0, 0]
        stretch = np.array([width / size[0], height / size[1]], np.float32)
        if turn % 180:
            stretch = stretch[::-1]
        quads = [quad * stretch for quad in quads_of(ink)]
        return sorted(quads, key=lambda quad: (float(quad[:, 1].min()), float(quad[:, 0].min())))

    def read(
        self,
        image: Pixels,
        quads: Sequence[Quad],
        *,
        poll: Callable[[], None],
        squeeze: float = 1.0,
    ) -> list[Reading]:
        """One reading a quad, in their order. `poll` is called between lines and may raise."""
        self._answers = [None] * len(quads)
        # Lines of one width one after the other: each shape is prepared once.
        crops = sorted(
            ((crop(image, quad), place) for place, quad in enumerate(quads)),
            key=lambda pair: pair[0].shape[1],
        )
        try:
            for pixels, place in crops:
                poll()
                strip, share = _strip(pixels, squeeze)
                self._recognisers.start_async([strip], (place, quads[place], share))
        finally:
            self._recognisers.wait_all()
        return [answer for answer in self._answers if answer is not None]

    def _keep(self, request: Any, task: tuple[int, Quad, float]) -> None:
        place, quad, share = task
        classes = request.get_output_tensor(0).data.reshape(-1)
        chances = request.get_output_tensor(1).data.reshape(-1)
        kept = np.flatnonzero((classes != _BLANK) & (classes != np.roll(classes, 1)))
        if len(classes) and classes[0] != _BLANK and (not len(kept) or kept[0] != 0):
            kept = np.concatenate([[0], kept])
        text = "".join(self._characters[index] for index in classes[kept])
        score = float(chances[kept].mean()) if len(kept) else 0.0
        centres = tuple(np.clip((kept + 0.5) / len(classes) / share, 0.0, 1.0).tolist())
        tight = _tightened(quad)
        line = Line(text, _around(tight), score, lean=_lean(tight))
        self._answers[place] = Reading(line, centres)


def quads_of(ink: NDArray[np.float32]) -> list[Quad]:
    """The boxes of lines in the network's map of ink, (H, W) probabilities, in its pixels."""
    mask = cv2.dilate((ink > _INK).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    quads = []
    for contour in contours[:_MAX_QUADS]:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < _MIN_SIDE:
            continue
        if _mean_inside(ink, cv2.boxPoints((centre, (width, height), angle))) < _MIN_BOX_SCORE:
            continue
        growth = width * height * _GROWTH / (2 * (width + height))
        grown = (centre, (width + 2 * growth, height + 2 * growth), angle)
        if min(grown[1]) < _MIN_SIDE + 2:
            continue
        quads.append(_in_reading_direction(cv2.boxPoints(grown)))
    return quads


def crop(image: Pixels, quad: Quad) -> Pixels:
    """The quad's pixels, laid straight. Tall ones are turned: text that runs downwards."""
    width, height = _size(quad)
    if min(width, height) > _TALLEST:
        image, quad = _shrunk(image, quad, _TALLEST / min(width, height))
        width, height = _size(quad)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    straight = cv2.warpPerspective(
        image,
        cv2.getPerspectiveTransform(quad.astype(np.float32), corners),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.rot90(straight) if height >= 1.5 * width else straight


def _size(quad: Quad) -> tuple[int, int]:
    """Width and height in whole pixels, along the text and across it."""
    width = max(_length(quad[0], quad[1]), _length(quad[3], quad[2]))
    height = max(_length(quad[0], quad[3]), _length(quad[1], quad[2]))
    return max(1, round(width)), max(1, round(height))


def _shrunk(image: Pixels, quad: Quad, scale: float) -> tuple[Pixels, Quad]:
    """The part of the picture around the quad, scaled down, and where the quad stands in it."""
    low = np.maximum(np.floor(quad.min(axis=0)).astype(int), 0)
    x0, y0 = np.minimum(low, np.array(image.shape[1::-1]) - 1)
    x1, y1 = np.ceil(quad.max(axis=0)).astype(int) + 1
    window = image[y0:y1, x0:x1]
    height, width = window.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(window, size, interpolation=cv2.INTER_AREA)
    stretch = np.array([size[0] / width, size[1] / height], np.float32)
    return np.asarray(small, np.uint8), ((quad - (x0, y0)) * stretch).astype(np.float32)


def _strip(pixels: Pixels, squeeze: float) -> tuple[Pixels, float]:
    """Recognition's input (1, 48, W, 3) BGR, and the share of W that is not padding."""
    height, width = pixels.shape[:2]
    inner = min(_MAX_WIDTH, max(1, math.ceil(_LINE_HEIGHT * width / height * squeeze)))
    outer = max(_MIN_WIDTH, math.ceil(inner / _WIDTH_STEP) * _WIDTH_STEP)
    strip = np.full((1, _LINE_HEIGHT, outer, 3), _GREY, np.uint8)
    strip[0, :, :inner] = cv2.resize(pixels, (inner, _LINE_HEIGHT))[:, :, ::-1]
    return strip, inner / outer


def _multiple(side: float) -> int:
    return max(32, round(side / 32) * 32)


def _length(start: NDArray[np.float32], end: NDArray[np.float32]) -> float:
    return float(np.hypot(*(end - start)))


def _mean_inside(ink: NDArray[np.float32], corners: NDArray[np.float32]) -> float:
    height, width = ink.shape
    x0, y0 = np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)), 0, (width - 1, height - 1)).astype(int)
    mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - (x0, y0)).astype(np.int32)], 1)
    return float(cv2.mean(ink[y0 : y1 + 1, x0 : x1 + 1], mask)[0])


def _in_reading_direction(corners: NDArray[np.float32]) -> Quad:
    """Top left first, then clockwise."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    top_left, bottom_left = left[np.argsort(left[:, 1], kind="stable")]
    top_right, bottom_right = right[np.argsort(right[:, 1], kind="stable")]
    return np.array([top_left, top_right, bottom_right, bottom_left], np.float32)


def _tightened(quad: Quad) -> Quad:
    """Without the air above and below its letters."""
    air = (1 - _LETTERS) / 2 * (quad[[3, 2, 1, 0]] - quad)
    if _length(quad[0], quad[3]) > _length(quad[0], quad[1]):  # text that runs downwards
        air = (1 - _LETTERS) / 2 * (quad[[1, 0, 3, 2]] - quad)
    return quad + air


def _lean(quad: Quad) -> float:
    """How much the upright rectangle around it is taller than itself; 0 for text running down."""
    across, down = _length(quad[0], quad[1]), _length(quad[0], quad[3])
    return max(0.0, float(np.ptp(quad[:, 1])) - down) if across > down else 0.0


def _around(quad: Quad) -> Rect:
    x0, y0 = quad.min(axis=0).tolist()
    x1, y1 = quad.max(axis=0).tolist()
    return Rect(x0, y0, x1, y1)
