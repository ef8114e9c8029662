"""Draws the result of a page on its image: boxes, reading order, and the missing words."""

from __future__ import annotations

from PIL import Image, ImageDraw

from bench import scoring
from dsocr.types import Block, PageResult

WIDTH = 900
_COLOURS = {
    "title": "#c02020",
    "sub_title": "#d06000",
    "text": "#2050c0",
    "image": "#208040",
    "image_caption": "#60a020",
    "table": "#a020a0",
    "table_caption": "#c060c0",
    "equation": "#008080",
}


def draw(page: Image.Image, result: PageResult, truth: str = "") -> Image.Image:
    """The page with numbered boxes; below it, in red, the missing words of the ground truth."""
    scale = WIDTH / page.width
    picture = page.convert("RGB").resize((WIDTH, max(1, round(page.height * scale))))
    shades = Image.new("RGBA", picture.size, (255, 255, 255, 0))
    pen = ImageDraw.Draw(shades)
    for number, block in enumerate(result.blocks, start=1):
        _outline(pen, block, number, picture.size)
    picture.paste(shades, (0, 0), shades)
    missing = scoring.words(truth) - scoring.words(result.markdown)
    return _with_note(picture, sorted(missing.elements())) if missing else picture


def _outline(pen: ImageDraw.ImageDraw, block: Block, number: int, size: tuple[int, int]) -> None:
    colour = _COLOURS.get(block.label, "#606060")
    for box in block.boxes:
        x0, y0 = box.x0 * size[0], box.y0 * size[1]
        x1, y1 = max(x0 + 1, box.x1 * size[0]), max(y0 + 1, box.y1 * size[1])
        pen.rectangle((x0, y0, x1, y1), outline=colour, width=2, fill=f"{colour}18")
        label = str(number)
        pen.rectangle((x0, y0, x0 + 6 + 9 * len(label), y0 + 17), fill=colour)
        pen.text((x0 + 3, y0), label, fill="white", font_size=14)


def _with_note(picture: Image.Image, missing: list[str]) -> Image.Image:
    lines, line = [], "missing:"
    for word in missing[:200]:
        if len(line) + len(word) > 110:
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    lines.append(line)
    canvas = Image.new("RGB", (picture.width, picture.height + 8 + 16 * len(lines)), "white")
    canvas.paste(picture, (0, 0))
    pen = ImageDraw.Draw(canvas)
    for index, text in enumerate(lines):
        pen.text((6, picture.height + 4 + 16 * index), text, fill="#c00000", font_size=13)
    return canvas
