"""Checks a weights folder: files, shapes, types, tokenizer and preprocessing, not the values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import PIL
import torch
from PIL import Image

from dsocr.runtime.scheduling.preprocess import Resolution, prepare
from dsocr.runtime.spec import CheckpointError, read_spec
from dsocr.runtime.text.prompt import prompt_ids
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.loader import check_checkpoint

RELEASED_TOKENIZER = "a02f8fd5228c90256bb4f6554c34a579d48f909e5beb232dc4afad870b55a8b4"
KNOWN_PROMPT = "<image>\n<|grounding|>Convert the document to markdown."
KNOWN_IDS = [0, 128815, 201, 128820, 21842, 270, 4940, 304, 2121, 7919, 16]
KNOWN_PIXELS = {
    "Pillow before 13": "d096c0381800fa547bcf982fd156a781eb36adce3350640801f6497166dd4506",
    "Pillow 13": "4b98b12ff876ca503f548f9e9308fadb6972a01d5827da22719c0c82a583aa35",
}
"""SHA-256 of the known image's views: Pillow's bicubic resize changed in version 13."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. With "note" the folder can be used, with "bad" it cannot."""

    name: str
    state: Literal["ok", "note", "bad"]
    detail: str


def check_folder(folder: Path) -> Iterator[CheckResult]:
    """Checks tensors (files, shapes, number types), the tokenizer, and the pixels of views."""
    yield _tensors(folder)
    yield _tokenizer(folder)
    yield _pixels()


def known_image() -> Image.Image:
    """800 x 1000 pixels, equal on every machine: no font, no random numbers."""
    y, x = torch.meshgrid(torch.arange(1000), torch.arange(800), indexing="ij")
    channels = (x * 5 + y * 3, x * y // 97, (x // 40 + y // 30) % 2 * 255)
    pixels = torch.stack(channels, dim=-1).remainder(256).to(torch.uint8)
    return Image.fromarray(pixels.numpy())


def pixels_digest() -> str:
    """SHA-256 over the views of the known image: padded, tiled, squashed."""
    digest = hashlib.sha256()
    for resolution in (Resolution(1024, 640, True), Resolution(640, 640, False)):
        views = prepare(known_image(), resolution, max_tiles=9)
        digest.update(views.global_view.numpy().tobytes())
        if views.tiles is not None:
            digest.update(views.tiles.numpy().tobytes())
    return digest.hexdigest()


def _tensors(folder: Path) -> CheckResult:
    try:
        spec, report = read_spec(folder), check_checkpoint(folder)
    except CheckpointError as error:
        return CheckResult("tensors", "bad", str(error))
    if report.problems:
        return CheckResult("tensors", "bad", report.problems)
    detail = (
        f"{report.num_tensors} in {report.num_files} files, {', '.join(report.dtypes)}, "
        f"{report.num_parameters / 1e9:.2f} billion parameters, context "
        f"{spec.decoder.max_positions}"
    )
    return CheckResult("tensors", "ok", detail)


def _tokenizer(folder: Path) -> CheckResult:
    try:
        tokenizer = Tokenizer(folder)
    except CheckpointError as error:
        return CheckResult("tokenizer", "bad", str(error))
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    if prompt_ids(tokenizer, KNOWN_PROMPT, num_image_tokens=1) != KNOWN_IDS:
        detail = "gives other ids than the released one; the weights may not match it"
        return CheckResult("tokenizer", "note", detail)
    if digest != RELEASED_TOKENIZER:
        return CheckResult("tokenizer", "ok", "not the released file, but it gives the same ids")
    return CheckResult("tokenizer", "ok", "the released file")


def _pixels() -> CheckResult:
    digest = pixels_digest()
    for name, known in KNOWN_PIXELS.items():
        if digest == known:
            return CheckResult("pixels", "ok", f"as expected with {name}")
    detail = f"Pillow {PIL.__version__} resizes in an unknown way; results may differ a little"
    return CheckResult("pixels", "note", detail)
