"""The reference data as tests read it: images, expected values, the genuine tokenizer."""

from __future__ import annotations

import gzip
import json
import lzma
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from dsocr.runtime.models.deepseek_ocr_spec import VIEWS
from dsocr.runtime.spec import Resolution
from tests.runtime.recipe import write_tiny_checkpoint

GOLDENS = Path(__file__).parents[1] / "data" / "goldens"


def golden_json(name: str) -> Any:
    path = GOLDENS / name
    if path.suffix == ".gz":
        return json.loads(gzip.decompress(path.read_bytes()))
    return json.loads(path.read_text("utf-8"))


def golden_image(name: str) -> Path:
    """The file of that name. Large ones are kept as lossless WebP, which halves them."""
    path = GOLDENS / "images" / name
    return path if path.is_file() else path.with_suffix(".webp")


def golden_page(name: str) -> Image.Image:
    """The image as pages/ hands it to an engine: upright, RGB."""
    with Image.open(golden_image(name)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def golden_mode(case: dict[str, Any]) -> str:
    """The mode with a case's numbers."""
    numbers = Resolution(case["base_size"], case["image_size"], case["crop_mode"])
    return next(name for name, mode in VIEWS.modes.items() if mode == numbers)


@cache
def genuine_tokenizer() -> bytes:
    """The released tokenizer.json."""
    packed = GOLDENS / "checkpoint-files" / "tokenizer.json.xz"
    return lzma.decompress(packed.read_bytes())


def write_reading_checkpoint(folder: Path) -> Path:
    """A whole model folder: the tiny weights and the genuine tokenizer."""
    write_tiny_checkpoint(folder)
    (folder / "tokenizer.json").write_bytes(genuine_tokenizer())
    return folder


def write_unlimited_checkpoint(folder: Path) -> Path:
    """The weights of the tiny DeepSeek-OCR under Unlimited-OCR's config."""
    write_reading_checkpoint(folder)
    shutil.copy(GOLDENS / "unlimited" / "config.json", folder / "config.json")
    return folder


def assert_text_is(raw: str, golden: dict[str, Any], decode: Callable[[list[int]], str]) -> None:
    """The text of the reference tokens, as far as these do not hang on a rounding."""
    safe, tokens = golden["safe_prefix_len"], golden["output_ids"]
    if safe == len(tokens):
        assert raw == decode(tokens)
    else:  # the cut may go through a character
        assert raw.startswith(decode(tokens[:safe]).rstrip("\ufffd"))
