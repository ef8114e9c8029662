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

from dsocr.runtime.models.registry import (
    DEFAULT_ARCHITECTURE,
    FAMILIES,
    Family,
    read_family,
    read_spec,
)
from dsocr.runtime.scheduling.preprocess import prepare
from dsocr.runtime.spec import CheckpointError, Released
from dsocr.runtime.text.prompt import prompt_ids
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.loader import check_checkpoint


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. With "note" the folder can be used, with "bad" it cannot."""

    name: str
    state: Literal["ok", "note", "bad"]
    detail: str


def check_folder(folder: Path) -> Iterator[CheckResult]:
    """Checks tensors (files, shapes, number types), the tokenizer, and the pixels of views."""
    yield _tensors(folder)
    released = _family(folder).released
    yield _tokenizer(folder, released)
    if released is not None:
        yield _pixels(released)


def known_image() -> Image.Image:
    """800 x 1000 pixels, equal on every machine: no font, no random numbers."""
    y, x = torch.meshgrid(torch.arange(1000), torch.arange(800), indexing="ij")
    channels = (x * 5 + y * 3, x * y // 97, (x // 40 + y // 30) % 2 * 255)
    pixels = torch.stack(channels, dim=-1).remainder(256).to(torch.uint8)
    return Image.fromarray(pixels.numpy())


def pixels_digest(released: Released) -> str:
    """SHA-256 over the views of the known image in the modes to compare."""
    digest = hashlib.sha256()
    for mode in released.modes:
        page = prepare(known_image(), released.views.modes[mode], released.views)
        for view in page.views:
            digest.update(view.numpy().tobytes())
    return digest.hexdigest()


def _family(folder: Path) -> Family:
    """The folder's family; the default one if config.json has a fault, which `_tensors` reports."""
    try:
        return read_family(folder)[0]
    except CheckpointError:
        return FAMILIES[DEFAULT_ARCHITECTURE]


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


def _tokenizer(folder: Path, released: Released | None) -> CheckResult:
    try:
        tokenizer = Tokenizer(folder)
    except CheckpointError as error:
        return CheckResult("tokenizer", "bad", str(error))
    if released is None:
        return CheckResult("tokenizer", "ok", f"{tokenizer.vocab_size} tokens")
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    ids = prompt_ids(tokenizer, released.prompt, num_image_tokens=1)
    if tuple(ids) != released.prompt_ids:
        detail = "gives other ids than the released one; the weights may not match it"
        return CheckResult("tokenizer", "note", detail)
    if digest != released.tokenizer_sha256:
        return CheckResult("tokenizer", "ok", "not the released file, but it gives the same ids")
    return CheckResult("tokenizer", "ok", "the released file")


def _pixels(released: Released) -> CheckResult:
    digest = pixels_digest(released)
    for name, known in released.views_sha256.items():
        if digest == known:
            return CheckResult("pixels", "ok", f"as expected with {name}")
    detail = f"Pillow {PIL.__version__} resizes in an unknown way; results may differ a little"
    return CheckResult("pixels", "note", detail)
