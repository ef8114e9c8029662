"""The PDF's text layer: whether it is reliable, and its lines in pixels.

A text layer is exact in born-digital files, in every script; in scans it is the output of another
OCR, and a font without a correct character map turns it into nonsense that looks like text.
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
from dsocr.engines.ppocr.networks.quads import Quad

LayerLine = tuple[str, float, float, float, float, Sequence[Sequence[int]]]
"""Text, sides (x0, y0, x1, y1) as fractions of the page, and fonts as in `Line.fonts`."""

_MAX_NONSENSE = 0.02  # of the characters
_MIN_AGREEMENT = 93.0
_SCAN_SHARE = 0.6  # of the page under raster images: a scan, whose layer is an OCR's
_SAMPLE = 5
_SAMPLE_MIN_LETTERS = 4
_SAMPLE_MAX_LETTERS = 120
_MARGIN = 0.12  # of a line's height: layers box letters tightly
_LOW = 0.5  # of the usual height
_MAX_COVERED = 0.3
_MIN_SCORE = 0.8
_BOLD_STEP = 4  # pixels


def lines_in_pixels(layer: Sequence[LayerLine], *, width: int, height: int) -> list[Line]:
    """The layer's lines in pixels of a page of that size.

    Lines without visible text, off the page, or printed twice are left out.
    """
    lines: dict[tuple[str, int, int], Line] = {}
    for text, x0, y0, x1, y1, fonts in layer:
        rect = _in_pixels((x0, y0, x1, y1), width, height)
        words = " ".join(_visible(text).split())
        if words and rect.area > 0:
            # Bold print is often imitated by printing a line twice, a hair apart.
            place = (words, round(rect.x0 / _BOLD_STEP), round(rect.y0 / _BOLD_STEP))
            known = fonts if sum(count for _, count in fonts) == len("".join(words.split())) else ()
            runs = tuple((font, count) for font, count in known)
            lines.setdefault(place, Line(words, rect, 1.0, from_layer=True, fonts=runs))
    return _with_tall_dashes(list(lines.values()))


def _in_pixels(sides: Sequence[float], width: int, height: int) -> Rect:
    x0, y0, x1, y1 = sides
    return Rect(
        max(0.0, x0) * width,
        max(0.0, y0) * height,
        min(1.0, x1) * width,
        min(1.0, y1) * height,
    )


def _with_tall_dashes(lines: list[Line]) -> list[Line]:
    """Lone dashes with the height of letters: some fonts box them by their ink, and then they would
    stand in no row with the numbers beside them."""
    if not lines:
        return lines
    usual = float(np.median([line.rect.height for line in lines]))
    return [
        _scaled(line, usual / line.rect.height)
        if line.rect.height < _LOW * usual and not _letters(line.text)
        else line
        for line in lines
    ]


def is_text(lines: Sequence[Line]) -> bool:
    """Whether the characters can be text at all."""
    characters = [letter for line in lines for letter in line.text if not letter.isspace()]
    nonsense = sum(
        unicodedata.category(letter) in {"Cc", "Co", "Cn", "Cs"} for letter in characters
    )
    nonsense += characters.count("\ufffd")
    return bool(characters) and nonsense <= _MAX_NONSENSE * len(characters)


def sample_lines(lines: Sequence[Line]) -> list[Line]:
    """A few lines, spread over the page, to be recognized from the picture and compared."""
    readable = [
        line
        for line in lines
        if _SAMPLE_MIN_LETTERS <= len(_letters(line.text)) <= _SAMPLE_MAX_LETTERS
        and line.rect.width > line.rect.height
    ]
    if len(readable) <= _SAMPLE:
        return readable
    return [readable[int(index)] for index in np.linspace(0, len(readable) - 1, _SAMPLE)]


def agrees(
    lines: Sequence[Line], recognized: Sequence[Line], *, legible: bool, image_share: float
) -> bool:
    """Whether the picture shows the text of the layer; `recognized` are the sampled `lines`.

    In a script that the recognizer does not know, the layer is the only text there is.
    """
    if not lines:
        return False
    if not legible:
        return image_share < _SCAN_SHARE or is_foreign(lines)
    ratios = [
        fuzz.ratio(_letters(line.text), _letters(seen.text))
        for line, seen in zip(lines, recognized, strict=True)
    ]
    return float(np.median(ratios)) >= _MIN_AGREEMENT


def quad_of(rect: Rect) -> Quad:
    """The rectangle as a quad with the margin that recognition expects."""
    margin = _MARGIN * rect.height
    x0, y0, x1, y1 = rect.x0 - margin, rect.y0 - margin, rect.x1 + margin, rect.y1 + margin
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def uncovered(quads: Sequence[Quad], lines: Sequence[Line]) -> list[Quad]:
    """Detected text that is not in the layer: inside pictures, or drawn as outlines."""
    if not lines:
        return list(quads)
    boxes = np.array([(line.rect.x0, line.rect.y0, line.rect.x1, line.rect.y1) for line in lines])
    return [quad for quad in quads if _covered_share(quad, boxes) < _MAX_COVERED]


def missing_lines(recognized: Sequence[Line], lines: Sequence[Line]) -> list[Line]:
    """The recognized lines that are certainly words and not in the layer.

    A logo is often recognized as one odd character.
    """
    return [
        line
        for line in recognized
        if line.score >= _MIN_SCORE and len(_letters(line.text)) > 1 and not _has(lines, line)
    ]


def _has(lines: Sequence[Line], seen: Line) -> bool:
    """Whether the layer has these words at this place, in a smaller box or spelled differently."""
    shared = sum(line.rect.intersection(seen.rect) for line in lines)
    if shared > 0.5 * seen.rect.area:
        return True
    near = "".join(_letters(line.text) for line in lines if line.rect.intersection(seen.rect) > 0)
    return _letters(seen.text) in near


def match_heights(
    lines: Sequence[Line], recognized: Sequence[Line], detected: Sequence[Quad]
) -> list[Line]:
    """The recognized lines with boxes as tight as the layer's, so that heights can be compared.

    `detected` are all quads of the page, most of them the layer's own lines.
    """
    if not lines or not recognized:
        return list(recognized)
    usual = np.median([np.ptp(quad[:, 1]) for quad in detected])
    ratio = min(1.0, float(np.median([line.rect.height for line in lines]) / max(1.0, usual)))
    return [_scaled(line, ratio) for line in recognized]


def _scaled(line: Line, ratio: float) -> Line:
    """The line with its box's height scaled, its centre kept."""
    rect = line.rect
    middle, half = rect.centre_y, rect.height * ratio / 2
    return replace(line, rect=Rect(rect.x0, middle - half, rect.x1, middle + half))


def _covered_share(quad: Quad, boxes: NDArray[np.float64]) -> float:
    (x0, y0), (x1, y1) = quad.min(axis=0), quad.max(axis=0)
    widths = np.minimum(x1, boxes[:, 2]) - np.maximum(x0, boxes[:, 0])
    heights = np.minimum(y1, boxes[:, 3]) - np.maximum(y0, boxes[:, 1])
    shared = float((widths.clip(0) * heights.clip(0)).sum())
    return shared / max(1.0, float((x1 - x0) * (y1 - y0)))


def _visible(text: str) -> str:
    """The text without format characters; line ends and tabs become blanks, joiners stay."""
    return "".join(
        " " if letter in "\t\r\n" else letter
        for letter in text
        if letter in "\t\r\n\u200c\u200d" or unicodedata.category(letter) != "Cf"
    )


def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if letter.isalnum())
