"""The reference data as tests read it: images, expected values, the genuine tokenizer."""

from __future__ import annotations

import gzip
import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

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


@cache
def genuine_tokenizer() -> bytes:
    """The released tokenizer.json."""
    packed = GOLDENS / "checkpoint-files" / "tokenizer.json.xz"
    return lzma.decompress(packed.read_bytes())
