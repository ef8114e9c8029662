"""The reference data of DeepSeek-OCR-2 as tests read it: `tests.runtime.goldens` for the second
family. Images and the tokenizer are v1's; pages named `xor_...` come from a formula."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from dsocr.runtime.models.deepseek_ocr2 import DeepseekOcr2
from tests.runtime.goldens import GOLDENS, genuine_tokenizer, golden_json, golden_page
from tests.runtime.recipe import make_tensor

FOLDER = GOLDENS / "ocr2"
SALT = 2
"""Of the recipe's weights and pixels."""
VIEWS_OF_SIDE = {768: 2, 1024: 1}


@cache
def golden(name: str) -> Any:
    """A JSON file of the tiny model: vision, decoder, e2e, tensors, bf16_deviation."""
    packed = FOLDER / "tiny" / f"{name}.json.gz"
    return golden_json(f"ocr2/tiny/{name}.json" + (".gz" if packed.is_file() else ""))


@cache
def golden_tensors(name: str) -> dict[str, Tensor]:
    return load_file(FOLDER / "tiny" / f"{name}.safetensors")


def ocr2_page(name: str) -> Image.Image:
    """The page of that name, upright, RGB: a file, or `xor_WxH.png` by its formula."""
    if not name.startswith("xor_"):
        return golden_page(name)
    width, height = map(int, name.removeprefix("xor_").removesuffix(".png").split("x"))
    y, x = np.mgrid[0:height, 0:width]
    planes = [((x * (3 + c)) ^ (y * (5 + 2 * c))) + 7 * c for c in range(3)]
    return Image.fromarray((np.stack(planes, -1) & 255).astype(np.uint8))


def write_ocr2_checkpoint(folder: Path) -> Path:
    """A whole model folder: the tiny weights and the genuine tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(FOLDER / "tiny" / "config.json", folder / "config.json")
    tensors = golden("tensors")["tensors"]
    weights = {name: make_tensor(name, one["shape"], salt=SALT) for name, one in tensors.items()}
    save_file(weights, folder / "model-00001-of-000001.safetensors")
    (folder / "tokenizer.json").write_bytes(genuine_tokenizer())
    return folder


def fill_towers(model: DeepseekOcr2) -> None:
    """The recipe's weights in everything but the decoder and the head."""
    for name, place in model.checkpoint_tensors():
        if name.startswith(("model.sam_model.", "model.qwen2_model.", "model.projector.")):
            place.copy_(make_tensor(name, place.shape, salt=SALT, device=place.device))
