"""The PDF's own text: whether it may be believed, and its lines in pixels.

A text layer is perfect in born-digital files, in every script; in scans it is somebody else's OCR,
and a font without a proper character map turns it into nonsense that looks like text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.quality import is_foreign
from dsocr.engines.ppocr.networks.ocr import Quad, Reading

_MAX_NONSENSE = 0.02
_MIN_AGREEMENT = 93.0
_SCAN_SHARE = 0.6  # of the page under raster images: a scan, whose layer is an OCR's
_SAMPLE = 5
_SAMPLE_MIN_LETTERS = 4
_SAMPLE_MAX_LETTERS = 120
_COVERED = 0.3
_SURE_BESIDE = 0.8


def lines_in_pixels(
    text_lines: Sequence[tuple[str, float, float, float, float]], *, width: int, height: int
) -> list[Line]:
    """From fractions of the page; what is empty, off the page, or printed twice is left out."""
    lines: dict[tuple[str, int, int], Line] = {}
    for text, x0, y0, x1, y1 in text_lines:
        rect = Rect(
            max(0.0, x0) * width,
            max(0.0, y0) * height,
            min(1.0, x1) * width,
            min(1.0, y1) * height,
        )
        words = " ".join(_printable(text).split())
        if words and rect.area > 0:
            # Poor man's bold prints a line twice, a hair apart.
            lines.setdefault(
                (words, round(rect.x0 / 4), round(rect.y0 / 4)), Line(words, rect, 1.0)
            )
    return _dashes_as_tall_as_letters(list(lines.values()))


def _dashes_as_tall_as_letters(lines: list[Line]) -> list[Line]:
    """Some fonts box a lone dash by its ink, which puts it in no row with the figures beside it."""
    if not lines:
        return lines
    usual = float(np.median([line.rect.height for line in lines]))
    return [
        _scaled(line, usual / line.rect.height)
        if line.rect.height < 0.5 * usual and not _letters(line.text)
        else line
        for line in lines
    ]


def is_text(lines: Sequence[Line]) -> bool:
    """Whether the characters can be a text at all."""
    characters = [letter for line in lines for letter in line.text if not letter.isspace()]
    nonsense = sum(
        unicodedata.category(letter) in {"Cc", "Co", "Cn", "Cs"} for letter in characters
    )
    nonsense += characters.count("\ufffd")
    return bool(characters) and nonsense <= _MAX_NONSENSE * len(characters)


def sample(lines: Sequence[Line]) -> list[Line]:
    """A few lines, spread over the page, that are worth reading from the picture to compare."""
    readable = [
        line
        for line in lines
        if _SAMPLE_MIN_LETTERS <= len(_letters(line.text)) <= _SAMPLE_MAX_LETTERS
        and line.rect.width > line.rect.height
    ]
    if len(readable) <= _SAMPLE:
        return readable
    return [readable[int(place)] for place in np.linspace(0, len(readable) - 1, _SAMPLE)]


def agrees(
    lines: Sequence[Line], readings: Sequence[Reading], *, legible: bool, image_share: float
) -> bool:
    """Whether what is seen is what the layer says; `readings` are of the sampled `lines`.

    Where the recogniser does not know the script the layer is the only text there is.
    """
    if not lines:
        return False
    if not legible:
        return image_share < _SCAN_SHARE or is_foreign(lines)
    ratios = [
        fuzz.ratio(_letters(line.text), _letters(reading.line.text))
        for line, reading in zip(lines, readings, strict=True)
    ]
    return float(np.median(ratios)) >= _MIN_AGREEMENT


def quad_of(rect: Rect) -> Quad:
    """The rectangle as recognition wants it, with a little air: layers box letters tightly."""
    air = 0.12 * rect.height
    x0, y0, x1, y1 = rect.x0 - air, rect.y0 - air, rect.x1 + air, rect.y1 + air
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def uncovered(quads: Sequence[Quad], lines: Sequence[Line]) -> list[Quad]:
    """Text that is seen but not in the layer: inside pictures, or drawn as outlines."""
    if not lines:
        return list(quads)
    boxes = np.array([(line.rect.x0, line.rect.y0, line.rect.x1, line.rect.y1) for line in lines])
    return [quad for quad in quads if _covered(quad, boxes) < _COVERED]


def worth_adding(readings: Sequence[Reading], lines: Sequence[Line]) -> list[Reading]:
    """Those that are surely words, and not the layer's: a logo looks like one odd character."""
    return [
        reading
        for reading in readings
        if reading.line.score >= _SURE_BESIDE
        and len(_letters(reading.line.text)) > 1
        and not _says(lines, reading.line)
    ]


def _says(lines: Sequence[Line], seen: Line) -> bool:
    """Whether the layer has these words at this place, if only in a smaller box or misread here."""
    shared = sum(line.rect.intersection(seen.rect) for line in lines)
    if shared > 0.5 * seen.rect.area:
        return True
    there = "".join(_letters(line.text) for line in lines if line.rect.intersection(seen.rect) > 0)
    return _letters(seen.text) in there


def as_tall_as(
    lines: Sequence[Line], readings: Sequence[Reading], seen: Sequence[Quad]
) -> list[Reading]:
    """The readings with boxes drawn as tightly as the layer's, so that heights can be compared.

    `seen` is all that was detected: on most pages mostly the layer's own lines.
    """
    if not lines or not readings:
        return list(readings)
    tall = np.median([np.ptp(quad[:, 1]) for quad in seen])
    ratio = min(1.0, float(np.median([line.rect.height for line in lines]) / max(1.0, tall)))
    return [replace(reading, line=_scaled(reading.line, ratio)) for reading in readings]


def _scaled(line: Line, ratio: float) -> Line:
    """The line's box scaled upright around its middle."""
    rect = line.rect
    middle, half = (rect.y0 + rect.y1) / 2, rect.height * ratio / 2
    return replace(line, rect=Rect(rect.x0, middle - half, rect.x1, middle + half))


def _covered(quad: Quad, boxes: NDArray[np.float64]) -> float:
    (x0, y0), (x1, y1) = quad.min(axis=0), quad.max(axis=0)
    widths = np.minimum(x1, boxes[:, 2]) - np.maximum(x0, boxes[:, 0])
    heights = np.minimum(y1, boxes[:, 3]) - np.maximum(y0, boxes[:, 1])
    shared = float((widths.clip(0) * heights.clip(0)).sum())
    return shared / max(1.0, float((x1 - x0) * (y1 - y0)))


def _printable(text: str) -> str:
    """Without the marks that steer display; line ends and tabs become blanks."""
    return "".join(
        " " if letter in "\t\r\n" else letter
        for letter in text
        if letter in "\t\r\n\u200c\u200d" or unicodedata.category(letter) != "Cf"
    )


def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if letter.isalnum())
