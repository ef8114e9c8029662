import dataclasses
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dsocr.engines.deepseek.modes import MODES
from dsocr.pipeline.auto_mode import choose_mode
from dsocr.pipeline.pipeline import Pipeline
from dsocr.types import Mode, OcrOptions, PageImage, PageResult, RawPixels
from tests.fakes import OPTIONS, FakeEngine, FakeSource

WORDS = "The harbour opened in spring and ships from eleven countries came to load grain. "


def page_of(image: Image.Image) -> PageImage:
    return PageImage(0, image, image.width, image.height)


def written(
    size: tuple[int, int],
    font: float,
    *,
    lines: int,
    columns: int = 1,
    ink: str = "black",
    paper: str = "white",
) -> Image.Image:
    """Paper with lines of text of that size, in columns that fill its width."""
    image = Image.new("RGB", size, paper)
    draw, face = ImageDraw.Draw(image), ImageFont.load_default(font)
    width = size[0] * 0.9 / columns
    letters = int(width / (0.5 * font)) - 2
    text = (WORDS * 40)[: letters if lines > 3 else 12]
    for column in range(columns):
        for line in range(lines):
            place = (size[0] * 0.05 + column * width, size[1] * 0.05 + line * font * 1.4)
            draw.text(place, text, fill=ink, font=face)
    return image


def noise(size: tuple[int, int]) -> Image.Image:
    grain = np.random.default_rng(7).integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
    return Image.fromarray(grain).resize(size)


CASES: list[tuple[str, Image.Image, Mode]] = [
    ("a blank page", Image.new("RGB", (800, 1100), "white"), "tiny"),
    ("a title slide", written((960, 540), 60, lines=2), "tiny"),
    ("a slide", written((1280, 720), 22, lines=9), "small"),
    (
        "a slide of light text",
        written((1280, 720), 22, lines=9, ink="white", paper="navy"),
        "small",
    ),
    ("an ordinary page", written((1240, 1754), 25, lines=40), "base"),
    ("a dense page", written((1240, 1754), 20, lines=58), "large"),
    ("small print", written((2400, 3400), 22, lines=95, columns=3), "gundam"),
    ("a photograph", noise((1200, 900)), "gundam"),
    ("a small snippet", written((300, 120), 14, lines=4), "tiny"),
]


@pytest.mark.parametrize(("image", "mode"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_the_mode_follows_from_what_the_page_shows(image: Image.Image, mode: Mode) -> None:
    assert choose_mode(page_of(image), MODES) == mode


def test_only_modes_of_the_model_are_chosen() -> None:
    few = {key: MODES[key] for key in ("gundam", "base")}
    assert choose_mode(page_of(CASES[1][1]), few) == "base"
    assert choose_mode(page_of(CASES[1][1]), {"gundam": MODES["gundam"]}) == "gundam"


def test_raw_pixels_are_measured_as_an_image_is() -> None:
    image = CASES[2][1]
    pixels = RawPixels(image.width, image.height, bytearray(image.tobytes()))
    page = PageImage(0, pixels, image.width, image.height)
    assert choose_mode(page, MODES) == choose_mode(page_of(image), MODES)


@pytest.mark.parametrize("size", [(1, 1), (3000, 5), (5, 3000)])
def test_pages_of_any_size_get_a_mode(size: tuple[int, int]) -> None:
    assert choose_mode(page_of(Image.new("RGB", size, "black")), MODES) == "tiny"


class RecordingEngine(FakeEngine):
    """Keeps the modes of its pages."""

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[str] = []

    async def recognize(self, page: PageImage, options: OcrOptions, **how: Any) -> PageResult:
        self.modes.append(options.mode)
        return await super().recognize(page, options, **how)


async def test_each_page_is_read_in_the_mode_chosen_for_it_and_says_so() -> None:
    engine, options = RecordingEngine(), dataclasses.replace(OPTIONS, mode="auto")
    document = await Pipeline(engine).run(FakeSource([["a"], ["@crash"]]), options)
    assert [page.mode for page in document.pages] == [engine.modes[0], None]
    assert "auto" not in engine.modes
    assert document.mode in engine.modes
    assert document.options.mode == "auto"


async def test_a_mode_that_was_asked_for_is_that_of_every_page() -> None:
    document = await Pipeline(FakeEngine()).run(FakeSource([["a"]]), OPTIONS)
    assert [page.mode for page in document.pages] == [OPTIONS.mode]
