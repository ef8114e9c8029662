"""Takes a page's lines from the PDF's text layer, checked and completed by the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dsocr.engines.ppocr.geometry import Line, share_inside
from dsocr.engines.ppocr.lines.bullets import with_bullets
from dsocr.engines.ppocr.lines.check_boxes import CheckBox, find_check_boxes
from dsocr.engines.ppocr.lines.layer import text_layer
from dsocr.engines.ppocr.lines.layer.box_labels import with_box_marks
from dsocr.engines.ppocr.lines.layer.font_maps import has_font, lines_to_check, wrong_fonts
from dsocr.engines.ppocr.lines.layer.layer_gaps import split_at_gaps
from dsocr.engines.ppocr.lines.layer.text_layer import LayerLine
from dsocr.engines.ppocr.lines.quality import LEGIBLE, UNCHECKED_TEXT, legibility
from dsocr.engines.ppocr.lines.recognition import PageLines
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.quads import Pixels, total_length
from dsocr.engines.ppocr.view import upright_view

_DETECTION_SIDE = 960
"""Enough to detect text that the layer lacks."""
_IN_LINE = 0.5  # of a box
_MAX_BESIDE = 0.6
"""Share of the detected text, by length, that the layer may lack: a stamp or a typed line on a
scan has little of it, and the page is then recognized as a whole."""


def layer_lines(
    image: Pixels,
    layer: Sequence[LayerLine],
    hidden: Sequence[LayerLine],
    *,
    image_share: float,
    ocr: Ocr,
    poll: Callable[[], None],
) -> PageLines | None:
    """The layer's lines and the recognized text beside them; None where the layer is not reliable.

    `layer` and `hidden` (lines over a scan that the page does not paint) have fractions of the
    page; `image_share` is the part of the page under raster images. The hidden lines are used only
    in a script that cannot be recognized.
    """
    height, width = image.shape[:2]
    lines = text_layer.lines_in_pixels(layer, width=width, height=height)
    over_scan = text_layer.lines_in_pixels(hidden, width=width, height=height)
    every = [*lines, *over_scan]
    if not text_layer.is_text(every):
        return None
    sample = text_layer.sample_lines(lines or over_scan)
    quads = [text_layer.quad_of(line.rect) for line in sample]
    recognized = ocr.recognize(image, quads, poll=poll)
    legible = legibility(recognized, quads) >= LEGIBLE
    if not text_layer.agrees(sample, recognized, legible=legible, image_share=image_share):
        return None
    if legible and not lines:
        return None
    if not legible:
        return _with_missing_text(image, every, ocr, poll, flags=[UNCHECKED_TEXT])
    lines = _compared(lines, sample, recognized)
    return _with_missing_text(image, _with_right_fonts(image, lines, ocr, poll), ocr, poll)


def _compared(
    lines: Sequence[Line], sample: Sequence[Line], recognized: Sequence[Line]
) -> list[Line]:
    """The lines; the sampled ones with the characters that the picture shows."""
    seen = {id(line): look.characters for line, look in zip(sample, recognized, strict=True)}
    return [replace(line, characters=seen.get(id(line), line.characters)) for line in lines]


def _with_missing_text(
    image: Pixels,
    lines: Sequence[Line],
    ocr: Ocr,
    poll: Callable[[], None],
    *,
    flags: Sequence[str] = (),
) -> PageLines | None:
    """These lines with the text of the picture that they lack; None where that is most of it."""
    detected = ocr.detect(image, longest_side=_DETECTION_SIDE)
    beside = text_layer.uncovered(detected, lines)
    if total_length(beside) > _MAX_BESIDE * total_length(detected):
        return None
    recognized = ocr.recognize(image, beside, poll=poll)
    added = text_layer.match_heights(lines, text_layer.missing_lines(recognized, lines), detected)
    height = float(np.median([line.rect.height for line in lines]))
    parts = split_at_gaps(lines, image)
    boxes = [box for box in find_check_boxes(image, height) if not _is_letter(box, parts)]
    marked = with_bullets(image, with_box_marks([*parts, *added], boxes))
    return PageLines(upright_view(image, 0), marked, list(flags))


def _is_letter(box: CheckBox, lines: Sequence[Line]) -> bool:
    """Whether the layer has a word at this place: a round letter looks like a radio button."""
    return any(
        share_inside(box.rect, line.rect) > _IN_LINE
        and line.text.replace(" ", "").isascii()
        and len(line.text) > 2
        for line in lines
    )


def _with_right_fonts(
    image: Pixels, lines: Sequence[Line], ocr: Ocr, poll: Callable[[], None]
) -> list[Line]:
    """The lines; those in a font with a wrong character map as the picture shows them."""
    checked = lines_to_check(lines)
    quads = [text_layer.quad_of(line.rect) for line in checked]
    looks = ocr.recognize(image, quads, poll=poll)
    fonts = wrong_fonts(checked, looks)
    lines = _compared(lines, checked, looks)
    wrong = [index for index, line in enumerate(lines) if has_font(line, fonts)]
    seen = ocr.recognize(
        image, [text_layer.quad_of(lines[index].rect) for index in wrong], poll=poll
    )
    corrected = list(lines)
    for index, line in zip(wrong, seen, strict=True):
        corrected[index] = replace(line, rect=lines[index].rect, rise=0.0)
    return corrected
