"""`dsocr bench`: measures the engine on this machine, with generated pages."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Iterator
from typing import Annotated, Any, cast, get_args

import typer
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from dsocr.batch.benchmark import measure
from dsocr.cli.options import EngineOption, choice
from dsocr.cli.progress import engine_line
from dsocr.config import Settings
from dsocr.engines.deepseek.modes import DEFAULT_MODE, MODES, mode_of
from dsocr.engines.deepseek.prompts import TASKS
from dsocr.host import started_host
from dsocr.types import Box, DraftsName, OcrOptions, PageImage, TextLine

WIDTH, HEIGHT = 1200, 1600
IN_FLIGHT = (1, 8, 32, 128, 256, 512, 1024, 2048)
"""Numbers of pages in flight, up to the engine's limit; the last ones are for several devices."""
MIN_PAGES = 3


def bench(
    mode: Annotated[
        str, choice(MODES, help="Resolution mode.", default=DEFAULT_MODE)
    ] = DEFAULT_MODE,
    in_flight: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Numbers of pages in flight, one row each.",
            show_default="1,8,32,128,256,512,1024,2048 up to the engine's limit",
        ),
    ] = None,
    pages: Annotated[
        int | None,
        typer.Option(min=1, help="Pages per row.", show_default="twice the pages in flight"),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Most tokens per page.", show_default="the model's")
    ] = None,
    drafts: Annotated[
        str | None,
        choice(
            get_args(DraftsName),
            help="Guess tokens from the pages' text, as DEEPSEEK_OCR_DRAFTS does.",
            default="that setting",
        ),
    ] = None,
    engine: EngineOption = None,
) -> None:
    """Measure this machine: pages and tokens per second by the number of pages in flight, the time
    per page, and the time to its first text.

    The pages are generated and all different. Nothing is read from or written to the disk. For
    drafts each page has its text as a PDF's text layer.
    """
    counts = _counts(in_flight)
    settings = Settings.from_environment()
    if engine is not None:
        settings = dataclasses.replace(settings, engine=engine)
    if drafts is not None:
        runtime = dataclasses.replace(settings.runtime, drafts=cast(DraftsName, drafts))
        settings = dataclasses.replace(settings, runtime=runtime)
    prompt = TASKS["markdown"].prompt
    options = OcrOptions("markdown", mode_of(mode), prompt, max_tokens=max_tokens)
    asyncio.run(_measure_all(settings, options, counts, pages))


async def _measure_all(
    settings: Settings, options: OcrOptions, counts: tuple[int, ...] | None, pages: int | None
) -> None:
    console = Console()
    async with started_host(settings.host_config()) as host:
        for worker in await host.wait_for_workers():
            if worker.unhealthy_reason:
                console.print(f"{worker.device} is not used: {worker.unhealthy_reason}")
        engine, info = host.engine, host.engine.info
        console.print(engine_line(info, host.selection))
        drafts = settings.runtime.drafts != "off" and info.name == "native"
        images = generate_pages(text_layers=drafts)
        await engine.recognize(next(images), options)  # warms up what is loaded on first use
        table = Table(
            *("in flight", "pages", "seconds", "pages/s", "tokens/s", "drafted"),
            *("first", "page", "slowest"),
            caption="drafted: tokens that a draft had right; first: seconds to a page's first "
            "text; page: to its last; medians",
        )
        for count in counts or [n for n in IN_FLIGHT if n <= max(1, info.max_concurrency)]:
            row = await measure(
                engine, options, images, in_flight=count, pages=pages or max(MIN_PAGES, 2 * count)
            )
            rate = row.tokens / row.seconds if row.tokens else None
            first = row.first_text if info.streams else None
            table.add_row(
                *(str(row.in_flight), str(row.pages), f"{row.seconds:.2f}"),
                f"{row.pages / row.seconds:.2f}",
                "–" if rate is None else f"{rate:,.0f}",
                "–" if not row.accepted else f"{row.accepted / row.tokens:.0%}",
                "–" if first is None else f"{first:.2f}",
                *(f"{row.page_seconds:.2f}", f"{row.slowest:.2f}"),
            )
        console.print(table)


def generate_pages(*, text_layers: bool = False) -> Iterator[PageImage]:
    """Pages of random words under a heading, each different, the same in each run. With a text
    layer the embedded engine would recognize nothing."""
    rng = random.Random(1)
    heading, body = ImageFont.load_default(44), ImageFont.load_default(24)
    number = 0
    while True:
        image = Image.new("RGB", (WIDTH, HEIGHT), "white")
        draw = ImageDraw.Draw(image)
        lines = [_line(draw, 90, f"Page {number + 1}: {_words(rng, 3)}", heading)]
        lines += [_line(draw, y, _words(rng, 13), body) for y in range(180, HEIGHT - 120, 34)]
        layer = tuple(lines) if text_layers else None
        yield PageImage(number, image, WIDTH, HEIGHT, text_lines=layer)
        number += 1


def _line(draw: ImageDraw.ImageDraw, y: int, text: str, font: Any) -> TextLine:
    """Draws the line, and returns it as a PDF's text layer has it."""
    draw.text((100, y), text, fill="black", font=font)
    left, top, right, bottom = draw.textbbox((100, y), text, font=font)
    return TextLine(text, Box(left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT))


def _words(rng: random.Random, count: int) -> str:
    syllables = [c + v for c in "bdfglmnprstv" for v in "aeiou"]
    return " ".join("".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(count))


def _counts(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        counts = tuple(int(part) for part in text.split(","))
    except ValueError:
        counts = ()
    if not counts or min(counts) < 1:
        raise typer.BadParameter(f"{text!r} is not a list of positive numbers such as 1,8,32.")
    return counts
