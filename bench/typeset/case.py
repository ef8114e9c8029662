"""A page with what must be read of it, in the form of the cases' `checks.jsonl`."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageFilter

from bench.typeset.sheet import Sheet

FORMS = ("pdf", "png", "jpg")
"""As typeset; rendered; rendered, then blurred a little, with noise, and compressed."""


@dataclass
class Case:
    """`order`: texts, one after the other; `absent`: texts that must not be there; `patterns`:
    regular expressions, of the text with its line breaks after `RAW:`, of flags after `FLAGS:`."""

    content: bytes
    suffix: str
    order: Sequence[str] = ()
    absent: Sequence[str] = ()
    patterns: Sequence[str] = field(default_factory=tuple)

    def checks(self) -> dict[str, Any]:
        found = {"order": self.order, "absent": self.absent, "re": self.patterns}
        return {key: list(values) for key, values in found.items() if values}


def case_of(
    sheet: Sheet,
    dice: random.Random,
    *,
    forms: Sequence[str] = FORMS,
    order: Sequence[str] = (),
    absent: Sequence[str] = (),
    patterns: Sequence[str] = (),
) -> Case:
    """The sheet in one of the forms."""
    form = dice.choice(list(forms))
    if form == "pdf":
        return Case(sheet.pdf(), form, order, absent, patterns)
    picture = sheet.picture(dice.choice([144, 150, 200]))
    content = encoded(picture, "PNG") if form == "png" else encoded(scanned(picture, dice), "JPEG")
    return Case(content, form, order, absent, patterns)


def scanned(picture: Image.Image, dice: random.Random) -> Image.Image:
    """With the blur, noise and grey paper of a scan."""
    soft = picture.filter(ImageFilter.GaussianBlur(dice.uniform(0.3, 0.7)))
    values = np.asarray(soft, np.float32)
    noise = np.random.default_rng(dice.randrange(1 << 30)).normal(0, 5, values.shape[:2])
    grey = values * dice.uniform(0.88, 0.96) + noise[..., None] + 6
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))


def rotated(picture: Image.Image, degrees: float) -> Image.Image:
    """To the left, on a larger white sheet."""
    return picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")


def waved(picture: Image.Image, amplitude: float, waves: float) -> Image.Image:
    """The rows displaced by a sine of that amplitude in pixels."""
    height, width = picture.height, picture.width
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    shifted = rows + (amplitude * np.sin(columns / width * np.pi * waves)).astype(np.float32)
    pixels = cv2.remap(
        np.asarray(picture),
        columns,
        shifted,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(255, 255, 255),
    )
    return Image.fromarray(pixels)


def encoded(picture: Image.Image, format: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **({"quality": 85} if format == "JPEG" else {}))
    return out.getvalue()
