"""Typesets pages in the scripts of `engines/ppocr/scripts`, with their texts, for bench.accuracy.

python -m bench.script_pages FOLDER [--small]

Six pages a language: two fonts, several sizes, clean and as a poor scan, in one and two columns.
`--small` makes the pictures of `tests/data/scripts/pages` instead. The texts in
`script_texts.json` were written for this. Fonts of Debian: fonts-noto-core, fonts-nanum,
fonts-hosny-amiri, fonts-thai-tlwg, fonts-lohit-deva, fonts-dejavu-core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

TEXTS: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("script_texts.json").read_text(encoding="utf-8")
)
_FOLDER = Path("/usr/share/fonts")
_DEJAVU = ("truetype/dejavu/DejaVuSans.ttf", "truetype/dejavu/DejaVuSerif.ttf")
_NOTO = "truetype/noto/Noto"
FONTS = {
    "ko": ("truetype/nanum/NanumGothic.ttf", "truetype/nanum/NanumMyeongjo.ttf"),
    "ar": (f"{_NOTO}NaskhArabic-Regular.ttf", "opentype/fonts-hosny-amiri/Amiri-Regular.ttf"),
    "fa": (f"{_NOTO}NaskhArabic-Regular.ttf", f"{_NOTO}SansArabic-Regular.ttf"),
    "th": ("truetype/tlwg/Garuda.ttf", "truetype/tlwg/Norasi.ttf"),
    "he": (f"{_NOTO}SansHebrew-Regular.ttf", f"{_NOTO}SerifHebrew-Regular.ttf"),
    "hi": (
        f"{_NOTO}SansDevanagari-Regular.ttf",
        "truetype/lohit-devanagari/Lohit-Devanagari.ttf",
    ),
    "el": _DEJAVU,
    "ru": _DEJAVU,
    "uk": (_DEJAVU[0], f"{_NOTO}Serif-Regular.ttf"),
}
_RIGHT_TO_LEFT = ("ar", "fa", "he")


class Look(NamedTuple):
    """How a page is set."""

    font: int
    size: int
    is_scan: bool
    columns: int
    width: int = 1240
    height: int = 1754
    margin: int = 110


LOOKS = (
    Look(0, 30, False, 1),
    Look(0, 22, True, 1),
    Look(0, 24, False, 2),
    Look(1, 28, True, 1),
    Look(1, 20, False, 1),
    Look(1, 22, True, 2),
)
SMALL = Look(0, 24, False, 1, width=900, height=330, margin=30)


def typeset(code: str, look: Look, texts: Sequence[str]) -> Image.Image:
    """A grey page with a title and paragraphs, divided over its columns."""
    page = Image.new("L", (look.width, look.height), 255)
    draw = ImageDraw.Draw(page)
    inner = look.width - 2 * look.margin
    width = (inner - 60 * (look.columns - 1)) // look.columns
    path = str(_FOLDER / FONTS[code][look.font])
    _line(draw, code, texts[0], _font(path, look.size * 8 // 5), look.margin, inner, look.margin)
    middle = len(texts) if look.columns == 1 else 3
    for column, part in enumerate((texts[1:middle], texts[middle:])):
        place = look.columns - 1 - column if code in _RIGHT_TO_LEFT else column
        left, y = look.margin + place * (width + 60), look.margin + 3 * look.size
        for text in part:
            for row in _wrapped(draw, text, _font(path, look.size), width):
                _line(draw, code, row, _font(path, look.size), left, width, y)
                y += look.size * 31 // 20
            y += look.size * 9 // 10
    return _scanned(page, look.size) if look.is_scan else page


def _small(code: str, text: str) -> Image.Image:
    return typeset(code, SMALL, [TEXTS[code][0], text])


def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.RAQM)


def _line(
    draw: ImageDraw.ImageDraw,
    code: str,
    text: str,
    font: ImageFont.FreeTypeFont,
    left: int,
    width: int,
    y: int,
) -> None:
    if code in _RIGHT_TO_LEFT:
        draw.text((left + width, y), text, font=font, fill=0, anchor="ra", direction="rtl")
    else:
        draw.text((left, y), text, font=font, fill=0)


def _wrapped(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: int
) -> list[str]:
    """Rows no wider than that. A Thai phrase is longer than a row: it breaks before a consonant."""
    rows, row = [], ""
    for word in text.split():
        joined = f"{row} {word}".strip()
        if draw.textlength(joined, font=font) <= width:
            row = joined
            continue
        if not "\u0e00" <= word[0] <= "\u0e7f":
            rows.append(row)
            row = word
            continue
        while draw.textlength(joined, font=font) > width:
            end = _thai_break(draw, joined, font, width)
            rows.append(joined[:end].strip())
            joined = joined[end:].strip()
        row = joined
    return [*rows, row]


def _thai_break(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: int
) -> int:
    fitting = [
        end
        for end in range(1, len(text))
        if "\u0e01" <= text[end] <= "\u0e2e"
        and text[end - 1] not in "\u0e40\u0e41\u0e42\u0e43\u0e44"
        and draw.textlength(text[:end], font=font) <= width
    ]
    return fitting[-1]


def _scanned(page: Image.Image, seed: int) -> Image.Image:
    """The page slightly turned, blurred, greyed and grained."""
    page = page.rotate(0.7, fillcolor=255, resample=Image.Resampling.BICUBIC)
    pixels = np.asarray(page.filter(ImageFilter.GaussianBlur(0.8)), np.float64) * 0.85 + 20
    pixels += np.random.default_rng(seed).normal(0, 9, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _write(folder: Path, code: str, look: Look) -> dict[str, str]:
    """One page with its truth; its entry in the manifest."""
    name = f"{code}-{look.font}-{look.size}-{look.columns}" + ("-scan" if look.is_scan else "")
    page = typeset(code, look, TEXTS[code])
    page.save(folder / f"{name}.png", optimize=True)
    (folder / f"{name}.txt").write_text("\n\n".join(TEXTS[code]) + "\n", encoding="utf-8")
    return {"file": f"{name}.png", "group": code, "gt": f"{name}.txt"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.small:
        for code, texts in ((code, texts) for code, texts in TEXTS.items() if code != "he"):
            page = typeset("th", LOOKS[4], texts) if code == "th" else _small(code, texts[1])
            page.quantize(16).save(folder / f"{code}.png", optimize=True)
        page = _small("ar", TEXTS["ar"][3].replace("library@example.org ", ""))
        page.quantize(16).save(folder / "ar-numbers.png", optimize=True)
        return
    entries = [_write(folder, code, look) for code in TEXTS for look in LOOKS]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, entries)) + "\n")


if __name__ == "__main__":
    main()
