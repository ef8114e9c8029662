"""Chooses the resolution mode of a page from what the page shows: the mode `auto`.

The cheapest mode is taken that shows the text large enough and has enough vision tokens for it.
Small print, photographs and whatever cannot be measured get the mode with tiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dsocr.engines.base import ModeSpec
from dsocr.types import Mode, PageImage, RawPixels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_TEXT_PIXELS = 7
"""Height of the ink of a line of text in the view of a mode: about 0.7 of the size of its font."""
TEXT_PER_VISION_TOKEN = 5
"""Text tokens of a page to a vision token, at most. The paper (DeepSeek-OCR, 4.1) measures a
precision of 97 % up to 10; half of it leaves room for dense layouts."""
TOKENS_PER_SQUARE = 0.4
"""Text tokens of a line as long as its ink is high: Latin text has about 0.3, Chinese 0.5."""
MAX_INK_SHARE = 0.4
"""A page with more ink than this is a photograph, or unevenly lit."""
MAX_TALL_SHARE = 0.5
"""Pictures may cover this much of what is inked; beyond it the text is not measured."""
MAX_UPSCALING = 2
"""A view larger than this many times the page shows nothing more of it."""

_LONGEST_SIDE = 2000
"""Pixels of the page that is measured; larger ones are sampled."""
_CONTRAST = 64
"""Grey levels between ink and the background, of 255."""
_STRIPS = 16
_MIN_STRIP = 40
"""Pixels; strips of a few letters keep columns and neighbouring lines apart."""
_MIN_LINE = 3
"""Pixels; less is a rule or a speck."""
_MAX_LINE_SHARE = 0.2
"""Of the page's height; a taller run of ink is a picture or a vertical rule."""


@dataclass(frozen=True, slots=True)
class PageText:
    """What was measured on a page."""

    line_share: float
    """Height of its smaller lines, as a fraction of the page's long side; 0 without text."""
    tokens: float
    """Estimated text tokens."""


def choose_mode(page: PageImage, modes: Mapping[Mode, ModeSpec]) -> Mode:
    """One of `modes`, of which `gundam` is one. Takes some milliseconds."""
    text = measure_text(_green(page))
    if text is None:
        return "gundam"
    views = [spec for spec in modes.values() if not spec.crop_mode]
    long_side = max(page.width, page.height)
    for spec in sorted(views, key=lambda spec: spec.vision_tokens):
        if _suffices(spec, text, long_side):
            return spec.key
    return "gundam"


def measure_text(gray: NDArray[np.uint8]) -> PageText | None:
    """The text on a page by its grey levels, (height, width); None if it cannot be measured."""
    import numpy as np  # only here: a service imports this module at its start

    ink = np.abs(gray.astype(np.int16) - np.int16(np.median(gray[::4, ::4]))) > _CONTRAST
    if ink.mean() > MAX_INK_SHARE:
        return None
    height, width = ink.shape
    strip = width // max(1, min(_STRIPS, width // _MIN_STRIP))
    runs = _run_heights(ink[:, : width // strip * strip].reshape(height, -1, strip).any(axis=2))
    runs = runs[runs >= _MIN_LINE]
    lines = runs[runs <= max(_MIN_LINE, _MAX_LINE_SHARE * height)]
    if runs.sum() - lines.sum() > MAX_TALL_SHARE * runs.sum():
        return None
    if not len(lines):
        return PageText(0.0, 0.0)
    lines = lines[lines >= np.median(lines) / 2]
    line = float(np.percentile(lines, 25))
    return PageText(line / max(ink.shape), TOKENS_PER_SQUARE * float((strip / lines).sum()))


def _suffices(spec: ModeSpec, text: PageText, long_side: int) -> bool:
    fits = text.tokens <= TEXT_PER_VISION_TOKEN * spec.vision_tokens[0]
    legible = text.line_share * spec.image_size >= MIN_TEXT_PIXELS
    return fits and (
        text.line_share == 0 or legible or spec.image_size >= MAX_UPSCALING * long_side
    )


def _run_heights(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The lengths of the runs of true values in each column of (height, strips)."""
    import numpy as np

    padded = np.pad(rows, ((1, 1), (0, 0))).astype(np.int8).T
    steps = np.diff(padded, axis=1)
    return np.nonzero(steps == -1)[1] - np.nonzero(steps == 1)[1]


def _green(page: PageImage) -> NDArray[np.uint8]:
    """The green channel, (height, width), sampled so that it has at most `_LONGEST_SIDE`."""
    import numpy as np

    pixels = page.pixels
    if isinstance(pixels, RawPixels):
        data = pixels.data
        buffer = data if isinstance(data, bytearray | memoryview) else data.view()
        rgb = np.frombuffer(buffer, np.uint8).reshape(page.height, page.width, 3)
    else:
        rgb = np.asarray(pixels)
    step = -(-max(page.width, page.height) // _LONGEST_SIDE)
    return np.ascontiguousarray(rgb[::step, ::step, 1])
