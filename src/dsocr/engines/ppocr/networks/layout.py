"""Detects a page's regions with the CDLA layout model (PicoDet). Knows nothing of text."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Rect, Region
from dsocr.engines.ppocr.networks.network import (
    IMAGENET_MEAN,
    IMAGENET_SCALE,
    MODELS,
    Networks,
)

Array = NDArray[np.float32]

CLASSES = (
    "text",
    "title",
    "figure",
    "figure_caption",
    "table",
    "table_caption",
    "header",
    "footer",
    "reference",
    "equation",
)
INPUT_WIDTH, INPUT_HEIGHT = 608, 800
STRIDES = (8, 16, 32, 64)
MIN_SCORE = 0.4
MAX_OVERLAP = 0.5


class LayoutModel:
    """The layout network, loaded."""

    def __init__(self, networks: Networks) -> None:
        network = networks.load(MODELS / "layout_cdla.onnx")
        compiled = networks.compile(network, mean=IMAGENET_MEAN, scale=IMAGENET_SCALE)
        self._request = compiled.create_infer_request()

    def detect(self, image: NDArray[np.uint8]) -> list[Region]:
        """Regions of an RGB page (H, W, 3) in its pixels, best score first."""
        squeezed = cv2.resize(image, (INPUT_WIDTH, INPUT_HEIGHT))
        self._request.infer([np.ascontiguousarray(squeezed[None, :, :, ::-1])])  # trained on BGR
        outputs = [tensor.data.copy() for tensor in self._request.output_tensors]
        height, width = image.shape[:2]
        return decode(outputs, scale_x=width / INPUT_WIDTH, scale_y=height / INPUT_HEIGHT)


def decode(outputs: list[Array], *, scale_x: float, scale_y: float) -> list[Region]:
    """Regions from the class scores (1, cells, 10) and edge distances (1, cells, 4 x bins) of each
    stride."""
    levels = len(STRIDES)
    boxes = np.concatenate(
        [_boxes(outputs[levels + i][0], stride) for i, stride in enumerate(STRIDES)]
    )
    scores = np.concatenate([outputs[i][0] for i in range(levels)])
    found: list[Region] = []
    for index, label in enumerate(CLASSES):
        chosen = np.flatnonzero(scores[:, index] > MIN_SCORE)
        candidates = [
            Region(label, _rect(boxes[i], scale_x, scale_y), float(scores[i, index]))
            for i in chosen
        ]
        found.extend(suppress(candidates))
    return sorted(found, key=lambda region: -region.score)


def suppress(regions: list[Region]) -> list[Region]:
    """Keeps the best of overlapping boxes."""
    kept: list[Region] = []
    for region in sorted(regions, key=lambda region: -region.score):
        if all(overlap(region.rect, other.rect) <= MAX_OVERLAP for other in kept):
            kept.append(region)
    return kept


def overlap(first: Rect, second: Rect) -> float:
    """Intersection over union."""
    shared = first.intersection(second)
    return shared / max(first.area + second.area - shared, 1e-9)


def _boxes(distances: Array, stride: int) -> Array:
    """Each cell's box in input pixels: its centre and the expected distance to the four edges."""
    columns, rows = -(-INPUT_WIDTH // stride), -(-INPUT_HEIGHT // stride)
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    centres = np.stack([x.ravel(), y.ravel()], axis=1) * stride
    bins = distances.reshape(len(distances), 4, -1)  # left, top, right, bottom
    weights = np.exp(bins - bins.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    reach = (weights * np.arange(bins.shape[2])).sum(axis=2) * stride
    return np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], axis=1).astype(
        np.float32
    )


def _rect(box: Array, scale_x: float, scale_y: float) -> Rect:
    x0, y0, x1, y1 = (float(value) for value in box)
    return Rect(
        max(0.0, x0) * scale_x,
        max(0.0, y0) * scale_y,
        min(float(INPUT_WIDTH), x1) * scale_x,
        min(float(INPUT_HEIGHT), y1) * scale_y,
    )
