"""Takes a page's lines from the PDF's text layer, checked and completed by the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.lines import text_layer
from dsocr.engines.ppocr.lines.layer_gaps import split_at_gaps
from dsocr.engines.ppocr.lines.quality import LEGIBLE, UNCHECKED_TEXT, legibility
from dsocr.engines.ppocr.lines.recognition import PageLines
from dsocr.engines.ppocr.lines.text_layer import LayerLine
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.view import upright_view

_DETECTION_SIDE = 960
"""Enough to detect text that the layer lacks."""


def layer_lines(
    image: Pixels,
    layer: Sequence[LayerLine],
    *,
    image_share: float,
    ocr: Ocr,
    poll: Callable[[], None],
) -> PageLines | None:
    """The layer's lines and the recognized text beside them; None where the layer is not reliable.

    `layer` has fractions of the page; `image_share` is the part of the page under raster images.
    """
    height, width = image.shape[:2]
    lines = text_layer.lines_in_pixels(layer, width=width, height=height)
    if not text_layer.is_text(lines):
        return None
    sample = text_layer.sample_lines(lines)
    quads = [text_layer.quad_of(line.rect) for line in sample]
    recognized = ocr.recognize(image, quads, poll=poll)
    legible = legibility(recognized, quads) >= LEGIBLE
    if not text_layer.agrees(sample, recognized, legible=legible, image_share=image_share):
        return None
    added = _lines_beside(image, lines, ocr, poll)
    flags = [] if legible else [UNCHECKED_TEXT]
    return PageLines(upright_view(image, 0), [*split_at_gaps(lines, image), *added], flags)


def _lines_beside(
    image: Pixels, lines: Sequence[Line], ocr: Ocr, poll: Callable[[], None]
) -> list[Line]:
    """Text of the picture that the layer lacks."""
    detected = ocr.detect(image, longest_side=_DETECTION_SIDE)
    recognized = ocr.recognize(image, text_layer.uncovered(detected, lines), poll=poll)
    return text_layer.match_heights(lines, text_layer.missing_lines(recognized, lines), detected)
