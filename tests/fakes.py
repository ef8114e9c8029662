"""A fake engine that follows commands on its pages, and files with such commands.

A command is a line on the page, in a PDF's text layer or hidden in a PNG's pixels:

    @crash    the engine crashes         @hang     it never returns
    @oom      it runs out of memory      @slow=5   it takes 5 seconds
    @loop     it repeats itself          @html=…   it returns this text
    @n=…      it returns this number, so that pages can be told apart
    @figure   it finds a figure

A page without commands is echoed, one block a line. No setting selects this engine.
"""

from __future__ import annotations

import asyncio
import io
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from dsocr.engines.base import EngineInfo, OnText
from dsocr.engines.deepseek.modes import MODES
from dsocr.engines.stats import EngineStats
from dsocr.errors import EngineCrashed, UnsupportedTask
from dsocr.process.inflight import Suspicion
from dsocr.process.progress import StartProgress
from dsocr.types import (
    FIGURE_LABEL,
    Block,
    Box,
    OcrOptions,
    PageImage,
    PageResult,
    TextLine,
    Usage,
    figure_path,
)

OPTIONS = OcrOptions(
    task="markdown",
    mode="gundam",
    prompt="<image>\n<|grounding|>Convert the document to markdown.",
)
_MARK = b"@commands:"
_LOOPS = 64


class FakeEngine:
    """Follows the commands on a page. Records the pages it started and how many ran at once."""

    def __init__(
        self, *, max_concurrency: int = 2, seconds: float = 0.0, streams: bool = True
    ) -> None:
        self.info = EngineInfo(
            name="fake",
            model="fake-1",
            device="cpu",
            tasks=("markdown", "text", "ocr", "locate", "custom"),
            modes=MODES,
            streams=streams,
            max_concurrency=max_concurrency,
        )
        self.seconds = seconds
        self.running = 0
        self.most_running = 0
        self.read: list[str] = []
        """First line of each page, in the order in which the pages started."""
        self.started = False
        self.closed = False

    unhealthy_reason = ""
    start_progress: StartProgress | None = None

    def stats(self) -> EngineStats:
        return EngineStats(running=self.running)

    async def start(self) -> None:
        self.started = True

    async def close(self) -> None:
        self.closed = True

    async def recognize(
        self,
        page: PageImage,
        options: OcrOptions,
        *,
        on_text: OnText | None = None,
        suspicion: Suspicion | None = None,
    ) -> PageResult:
        if options.task not in self.info.tasks:
            raise UnsupportedTask
        lines = commands_of(page)
        self.read.append(lines[0].text if lines else "")
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            output = await self._output(lines)
            await asyncio.sleep(self.seconds)
            if on_text is not None and self.info.streams:
                for piece in _pieces(output.raw, 7):
                    on_text(piece)
                    await asyncio.sleep(0)
        finally:
            self.running -= 1
        words = [block.text for block in output.blocks]
        return PageResult(
            index=page.index,
            width=page.width,
            height=page.height,
            markdown="\n\n".join(_markdown_of(page.index, output.blocks)),
            blocks=output.blocks,
            raw=output.raw,
            finish_reason="repetition" if output.looped else "stop",
            flags=("repetition",) if output.looped else (),
            usage=Usage(completion_tokens=sum(len(word.split()) for word in words)),
        )

    async def _output(self, lines: Sequence[TextLine]) -> _Output:
        lines_out: list[TextLine] = []
        looped = False
        for line in lines:
            command, _, value = line.text.partition("=")
            if command == "@crash":
                raise EngineCrashed
            elif command == "@oom":
                raise MemoryError("as ordered")
            elif command == "@hang":
                await asyncio.Event().wait()
            elif command == "@slow":
                await asyncio.sleep(float(value))
            elif command == "@loop":
                looped = True
                lines_out.append(TextLine("again " * _LOOPS, line.box))
            elif command in ("@html", "@n"):
                lines_out.append(TextLine(value, line.box))
            else:
                lines_out.append(line)
        return _Output(tuple(lines_out), looped)


def _markdown_of(page: int, blocks: Sequence[Block]) -> Iterator[str]:
    num_figures = 0
    for block in blocks:
        if block.label == FIGURE_LABEL:
            yield f"![]({figure_path(page, num_figures)})"
            num_figures += 1
        else:
            yield block.text


@dataclass(frozen=True)
class _Output:
    lines: tuple[TextLine, ...]
    looped: bool

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(
            Block(FIGURE_LABEL, "", (line.box,))
            if line.text == "@figure"
            else Block("text", line.text.strip(), (line.box,))
            for line in self.lines
        )

    @property
    def raw(self) -> str:
        return "\n\n".join(
            f"<|ref|>text<|/ref|><|det|>[[{_to_999(line.box)}]]<|/det|>\n{line.text}"
            for line in self.lines
        )


class FakeSource:
    """Pages from memory: each is its lines, or the error that rendering it raises."""

    def __init__(
        self, pages: Sequence[Sequence[str] | Exception], *, name: str = "fake.pdf"
    ) -> None:
        self._pages = pages
        self.name = name
        self.dpi_asked: list[float | None] = []
        self.most_alive = 0
        """Most page images of this source in memory at once."""
        self._alive = 0
        self.closed = False

    @property
    def num_pages(self) -> int:
        return len(self._pages)

    async def render_page(self, index: int, *, dpi: float | None) -> PageImage:
        await asyncio.sleep(0)
        self.dpi_asked.append(dpi)
        lines = self._pages[index]
        if isinstance(lines, Exception):
            raise lines
        page = page_image(lines, index=index, dpi=dpi)
        self._alive += 1
        self.most_alive = max(self.most_alive, self._alive)
        weakref.finalize(page.image, self._forget)
        return page

    async def close(self) -> None:
        self.closed = True

    def _forget(self) -> None:
        self._alive -= 1


def page_image(lines: Sequence[str], *, index: int = 0, dpi: float | None = 144) -> PageImage:
    """A small white page whose text layer is `lines`, evenly spread from top to bottom."""
    return PageImage(
        index=index,
        pixels=Image.new("RGB", (60, 80), "white"),
        width=60,
        height=80,
        dpi=dpi,
        text_lines=tuple(_spread(lines)),
    )


def commands_of(page: PageImage) -> tuple[TextLine, ...]:
    """The lines of a page's text layer or, where a file has none, those hidden in its pixels."""
    if page.text_lines:
        return page.text_lines
    data = page.image.tobytes()
    if not data.startswith(_MARK):
        return ()
    start = len(_MARK) + 2
    size = int.from_bytes(data[len(_MARK) : start], "big")
    return tuple(_spread(data[start : start + size].decode().splitlines()))


def png(lines: Sequence[str], *, size: tuple[int, int] = (60, 80)) -> bytes:
    """A PNG file that carries its lines as the bytes of its first pixels."""
    text = "\n".join(lines).encode()
    hidden = _MARK + len(text).to_bytes(2, "big") + text
    canvas = b"\xff" * (size[0] * size[1] * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", size, hidden + canvas[len(hidden) :]).save(file, "PNG")
    return file.getvalue()


def pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF file of A6 pages whose text layers are these lines (Latin-1)."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for number, lines in enumerate(pages):
        bodies.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 298 420]"
            b"/Resources<</Font<</F 3 0 R>>>>/Contents %d 0 R>>" % (5 + 2 * number)
        )
        shown = b"".join(b"(%s) Tj T* " % _escaped(line) for line in lines)
        content = b"BT /F 12 Tf 30 TL 20 380 Td " + shown + b"ET"
        bodies.append(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))
    file = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(bodies) + 1
    file += b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
    start = file.rindex(b"xref")
    file += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, start)
    return bytes(file)


def _spread(lines: Sequence[str]) -> Iterator[TextLine]:
    step = 1 / max(1, len(lines))
    for number, line in enumerate(lines):
        yield TextLine(line, Box(0.1, number * step, 0.9, (number + 0.8) * step))


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def _to_999(box: Box) -> str:
    return ", ".join(str(round(edge * 999)) for edge in (box.x0, box.y0, box.x1, box.y1))


def _escaped(line: str) -> bytes:
    slashed = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return slashed.encode("cp1252")
