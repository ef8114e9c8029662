"""Time and memory of exports of a long document, each in a process of its own.

    python -m bench.exports [--pages 1000] [--formats markdown,docx,pdf] [--figures 5]
                            [--redact email]

The document is one PDF of scans; its pages are loaded one by one, as a job's and a batch's are.
A page has a heading, paragraphs with formulas, a list, a table and 40 lines with boxes; every fifth
has a figure. CPU seconds are those of the process and of the children that render and open the PDF.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pikepdf

from bench.pages.synthetic import HEIGHT, WIDTH, page_picture
from dsocr.batch.workspace.records import page_bytes
from dsocr.batch.workspace.results import StoredPages
from dsocr.engines.base import EngineInfo
from dsocr.engines.deepseek.grounding import markdown_of
from dsocr.engines.deepseek.modes import MODES
from dsocr.exports import write
from dsocr.exports.options import ExportOptions
from dsocr.pages.config import PagesConfig
from dsocr.pages.page_images import ExportImages
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.source import open_document
from dsocr.types import Block, Box, Document, OcrOptions, PageResult, TextLine

OPTIONS = OcrOptions("markdown", "gundam", "<image>\nConvert the document to markdown.")
INFO = EngineInfo("bench", "none", "cpu", ("markdown",), MODES, False, 1)
NUM_PICTURES = 20
LINES = 40
WORDS = "The words of this line stand for what a dense page of a report has in its paragraphs"
TABLE = "<table><tr><th>Year</th><th colspan=2>Sales</th></tr>" + "".join(
    f"<tr><td>{year}</td><td>1,{year}.5</td><td>a & b</td></tr>" for year in range(2000, 2012)
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--formats", default="markdown,text,json,html,docx,pdf,xlsx,hocr,alto")
    parser.add_argument("--figures", type=int, default=5, help="one on every so many pages (5)")
    parser.add_argument("--redact", action="append", default=[], metavar="PATTERN")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        options = ExportOptions(redact=tuple(given.redact))
        print(json.dumps(asyncio.run(measure(given.folder, given.one, options))))
        return
    print("| format | seconds | CPU seconds | CPU ms a page | peak MB | of a child | file MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        make_document(Path(name), given.pages, given.figures)
        for format in given.formats.split(","):
            more = [part for pattern in given.redact for part in ("--redact", pattern)]
            command = [sys.executable, "-m", "bench.exports", "--one", format, "--folder", name]
            done = subprocess.run([*command, *more], stdout=subprocess.PIPE, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"| {format} | {found['seconds']:.1f} | {found['cpu']:.1f} "
                f"| {found['cpu'] / given.pages * 1000:.1f} | {found['peak']:.0f} "
                f"| {found['child']:.0f} | {found['bytes'] / 1e6:.1f} |",
                flush=True,
            )


async def measure(folder: Path, format: str, options: ExportOptions) -> dict[str, float]:
    """One export. Memory in MB: of this process, and of the largest child."""
    with open(folder / "pages.jsonl", "rb") as pages, open(folder / "out", "w+b") as out:
        sandbox = Sandbox(PagesConfig())
        source = await open_document(folder / "a.pdf", name="a.pdf", sandbox=sandbox)
        images = ExportImages(source, None, asyncio.get_running_loop())
        stored = StoredPages(_places(pages))
        document = Document("a.pdf", INFO.name, INFO.model, OPTIONS, stored)
        began, busy = time.perf_counter(), time.process_time()
        await asyncio.to_thread(write, document, format, out, images, options)
        seconds = time.perf_counter() - began
        cpu = time.process_time() - busy
        await source.close()
        await sandbox.close()
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "seconds": seconds,
            "cpu": cpu + children.ru_utime + children.ru_stime,
            "peak": _peak(),
            "child": children.ru_maxrss / 1024,
            "bytes": out.tell(),
        }


def _peak() -> float:
    """MB. Unlike `ru_maxrss` it does not begin with that of the process that started this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def make_document(folder: Path, num_pages: int, figures: int) -> None:
    """`a.pdf`, and `pages.jsonl` with what an engine would read of it."""
    pictures = [_jpeg(number) for number in range(NUM_PICTURES)]
    pdf = pikepdf.new()
    with open(folder / "pages.jsonl", "wb") as out:
        for number in range(num_pages):
            _add_scan(pdf, pictures[number % NUM_PICTURES])
            result = page_result(number, has_figure=number % figures == 0)
            out.write(page_bytes("a", result, INFO) + b"\n")
    pdf.save(folder / "a.pdf")


def page_result(number: int, *, has_figure: bool) -> PageResult:
    texts = [f"{WORDS} {number} {at} to me@example.org" for at in range(LINES)]
    boxes = [Box(0.08, 0.06 + at * 0.015, 0.9, 0.072 + at * 0.015) for at in range(LINES)]
    lines = tuple(TextLine(text, box, 0.97) for text, box in zip(texts, boxes, strict=True))
    blocks = [Block("sub_title", f"## {number}.1 Part {number}", (Box(0.08, 0.02, 0.9, 0.05),))]
    for at in range(0, LINES, 8):
        box = Box(0.08, boxes[at].y0, 0.9, boxes[at + 7].y1)
        blocks.append(Block("text", "\n".join(texts[at : at + 8]), (box,)))
    blocks += [
        Block("equation", f"\\[a_{{{number}}} = \\frac{{b}}{{c}}\\]", (Box(0.3, 0.68, 0.7, 0.71),)),
        Block("list", "- one\n- two\n- three", (Box(0.08, 0.72, 0.9, 0.76),)),
        Block("table", f"{TABLE}</table>", (Box(0.08, 0.78, 0.9, 0.95),)),
    ]
    if has_figure:
        blocks.append(Block("image", "", (Box(0.1, 0.1, 0.9, 0.4),)))
        blocks.append(Block("image_caption", f"Figure {number}: what it shows.", ()))
    markdown = markdown_of(blocks, page_index=number)
    return replace(
        PageResult(number, WIDTH, HEIGHT, markdown=markdown),
        blocks=tuple(blocks),
        lines=lines,
        raw=markdown,
    )


def _places(file: BinaryIO) -> list[tuple[BinaryIO, int]]:
    starts = [0]
    while file.readline():
        starts.append(file.tell())
    return [(file, start) for start in starts[:-1]]


def _jpeg(number: int) -> bytes:
    out = io.BytesIO()
    page_picture(number).save(out, "JPEG", quality=75)
    return out.getvalue()


def _add_scan(pdf: pikepdf.Pdf, jpeg: bytes) -> None:
    name, dictionary = pikepdf.Name, pikepdf.Dictionary
    page = pdf.add_blank_page(page_size=(WIDTH / 2, HEIGHT / 2)).obj
    picture = pdf.make_stream(
        jpeg,
        Type=name.XObject,
        Subtype=name.Image,
        Width=WIDTH,
        Height=HEIGHT,
        ColorSpace=name.DeviceRGB,
        BitsPerComponent=8,
        Filter=name.DCTDecode,
    )
    page.Resources = dictionary(XObject=dictionary(P=picture))
    page.Contents = pdf.make_stream(b"%g 0 0 %g 0 0 cm /P Do" % (WIDTH / 2, HEIGHT / 2))


if __name__ == "__main__":
    main()
