"""Grey images of more than eight bits: scans of 10 to 16 bits, integers, floating point.

Pillow cuts their values off at 255, which leaves a white page. Runs only in a decoding process.
"""

from __future__ import annotations

from PIL import Image

DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_WHITE_IS_ZERO = 0
_PHOTOMETRIC = 262
"""The TIFF tag that tells whether 0 is white or black."""
_BITS = (*range(8, 17), 24, 31)
"""Depths from which the one of an image is chosen by its largest value."""


def to_grey(image: Image.Image, *, inverted: bool = False) -> Image.Image:
    """The image in eight bits of grey, by the depth that its values have; `inverted` if 0 is
    white."""
    import numpy as np  # only here: importing it takes longer than most images take to decode

    values = np.nan_to_num(np.asarray(image, np.float32), posinf=0.0, neginf=0.0)
    lowest, highest = float(values.min()), float(values.max())
    white = _white(highest, floating=image.mode == "F")
    if lowest < 0:  # no depth has negative values: the range is the image's own
        values, white = values - lowest, highest - lowest or 1.0
    grey = np.clip(values * (255 / white) + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(255 - grey if inverted else grey)


def _white(highest: float, *, floating: bool) -> float:
    """The value of white: of floating point 1 or 255, else that of the fewest bits that hold all.

    A 16-bit image rarely uses all of its range, so the depth comes from its values.
    """
    if floating and highest <= 1:
        return 1.0
    return next((2.0**bits - 1 for bits in _BITS if highest < 2**bits), highest)


def is_inverted(image: Image.Image) -> bool:
    """Whether 0 is white in the opened file; Pillow turns over images of eight bits only."""
    tags = getattr(image, "tag_v2", None)
    return tags is not None and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
