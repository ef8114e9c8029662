"""Recognizes a table's structure in its picture with SLANet-plus. Knows nothing of its text.

The network is split in two: the image encoder runs in OpenVINO, which cannot load the exported
decoder loop; that loop is one attention GRU cell and is written out here over its weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.networks.network import (
    IMAGENET_MEAN,
    IMAGENET_SCALE,
    MODELS,
    Networks,
)

Array = NDArray[np.float32]

SIDE = 488
MAX_STEPS = 501
_SPANS = range(2, 21)
TOKENS = (
    "sos",
    *("<thead>", "</thead>", "<tbody>", "</tbody>", "<tr>", "</tr>", "<td", ">", "</td>"),
    *(f"colspan={count}" for count in _SPANS),
    *(f"rowspan={count}" for count in _SPANS),
    "<td></td>",
    "eos",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: its place in the grid and on the picture."""

    row: int
    column: int
    rowspan: int
    colspan: int
    rect: Rect


class TableModel:
    """The structure network, loaded."""

    def __init__(self, networks: Networks) -> None:
        network = networks.load(MODELS / "slanet_encoder.onnx")
        compiled = networks.compile(network, mean=IMAGENET_MEAN, scale=IMAGENET_SCALE)
        self._request = compiled.create_infer_request()
        with np.load(MODELS / "slanet_decoder.npz") as weights:
            self._weights: dict[str, Array] = dict(weights)

    def detect_cells(self, image: NDArray[np.uint8]) -> list[Cell]:
        """The cells of the table that fills this RGB picture, in its pixels."""
        self._request.infer([prepare(image)])
        features = self._request.get_output_tensor().data[0].copy()  # (256, 96)
        height, width = image.shape[:2]
        side = max(height, width)
        tokens, boxes = decode(features, self._weights)
        return cells(tokens, boxes * np.float32(side))


def prepare(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The longest side scaled to 488, the rest the mean colour: (1, 488, 488, 3), blue first."""
    height, width = image.shape[:2]
    ratio = SIDE / max(height, width)
    size = (max(1, int(width * ratio)), max(1, int(height * ratio)))
    canvas = np.empty((1, SIDE, SIDE, 3), np.uint8)
    canvas[:] = np.round(IMAGENET_MEAN).astype(np.uint8)
    canvas[0, : size[1], : size[0]] = cv2.resize(image, size)[:, :, ::-1]
    return canvas


def decode(features: Array, weights: dict[str, Array]) -> tuple[list[str], Array]:
    """Greedy structure tokens and each one's box (N, 8 corner values, 0-1 of the longest side)."""
    keys = features @ weights["attention_features"]
    hidden = np.zeros(weights["attention_hidden"].shape[0], np.float32)
    token = 0
    tokens: list[str] = []
    boxes: list[Array] = []
    for _ in range(MAX_STEPS):
        hidden = _step(features, keys, hidden, token, weights)
        token = int(_two_layers(hidden, "structure", weights).argmax())
        if TOKENS[token] == "eos":
            break
        tokens.append(TOKENS[token])
        boxes.append(_sigmoid(_two_layers(hidden, "location", weights)))
    return tokens, np.array(boxes, np.float32).reshape(-1, 8)


def cells(tokens: list[str], boxes: Array) -> list[Cell]:
    """The cells that the tokens open, placed in the grid with their spans."""
    found: list[Cell] = []
    taken: set[tuple[int, int]] = set()
    row, column = -1, 0
    for index, token in enumerate(tokens):
        if token == "<tr>":
            row, column = row + 1, 0
        if token not in ("<td", "<td></td>") or row < 0:
            continue
        rowspan, colspan = _spans(tokens, index) if token == "<td" else (1, 1)
        while (row, column) in taken:
            column += 1
        taken.update((row + i, column + j) for i in range(rowspan) for j in range(colspan))
        xs, ys = boxes[index][0::2], boxes[index][1::2]
        rect = Rect(float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
        found.append(Cell(row, column, rowspan, colspan, rect))
        column += colspan
    return found


def _spans(tokens: list[str], start: int) -> tuple[int, int]:
    spans = {"rowspan": 1, "colspan": 1}
    for token in tokens[start + 1 :]:
        name, equals, count = token.partition("=")
        if not equals:
            break
        spans[name] = int(count)
    return spans["rowspan"], spans["colspan"]


def _step(
    features: Array, keys: Array, hidden: Array, token: int, weights: dict[str, Array]
) -> Array:
    """One step of the GRU cell: attention over the picture, then the update by the last token."""
    query = hidden @ weights["attention_hidden"] + weights["attention_hidden_bias"]
    scores = (np.tanh(keys + query) @ weights["attention_score"])[:, 0]
    attention = np.exp(scores - scores.max())
    context = (attention / attention.sum()) @ features
    last = np.zeros(len(TOKENS), np.float32)
    last[token] = 1.0
    new = weights["gru_input"] @ np.concatenate([context, last]) + weights["gru_input_bias"]
    old = weights["gru_hidden"] @ hidden + weights["gru_hidden_bias"]
    (new_reset, new_update, new_state), (old_reset, old_update, old_state) = (
        np.split(new, 3),
        np.split(old, 3),
    )
    state = np.tanh(new_state + _sigmoid(new_reset + old_reset) * old_state)
    result = (hidden - state) * _sigmoid(new_update + old_update) + state
    return np.asarray(result, np.float32)


def _two_layers(hidden: Array, name: str, weights: dict[str, Array]) -> Array:
    inner = hidden @ weights[f"{name}_1"] + weights[f"{name}_1_bias"]
    return np.asarray(inner @ weights[f"{name}_2"] + weights[f"{name}_2_bias"], np.float32)


def _sigmoid(values: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-values)), np.float32)
