"""Born-digital pages with their true text: own ones of several kinds, and samples with a truth.

The truth of an own page is what it was made of, never its text layer. The prose is that of this
project's documentation, so that words and their frequencies are real.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.typeset import words
from bench.typeset.sheet import SERIF, Sheet, wrapped
from dsocr.pages.pdf.file import DEFAULT_DPI, PdfFile

ROOT = Path(__file__).parents[2]
MAX_PIXELS = 60_000_000
_SENTENCE = re.compile(r"[A-Z][^.|`#*\[\]<>]{30,160}\.(?= |$)")


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the true text, as the model writes it under one box."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class TruePage:
    kind: str
    blocks: tuple[Block, ...]
    lines: tuple[str, ...]
    """The text layer as the service extracts it."""


Make = Callable[[random.Random], tuple[Sheet, list[Block]]]


def own_pages(each: int, seed: int) -> Iterator[TruePage]:
    for kind, make in KINDS.items():
        for number in range(each):
            sheet, blocks = make(random.Random(f"{kind} {seed + number}"))
            yield TruePage(kind, tuple(blocks), _layer(sheet.pdf()))


def sample_pages(folder: Path) -> Iterator[TruePage]:
    """PDFs of one page with a truth of their own, in a folder with a `manifest.jsonl`."""
    for row in map(json.loads, (folder / "manifest.jsonl").read_text("utf-8").splitlines()):
        truth = folder / str(row.get("gt", ""))
        if not row["file"].endswith(".pdf") or truth.suffix not in (".md", ".txt"):
            continue
        lines = _layer((folder / row["file"]).read_bytes())
        if lines:
            blocks = [_block(part) for part in re.split(r"\n\s*\n", truth.read_text("utf-8"))]
            yield TruePage(f"sample: {Path(row['file']).stem}", tuple(filter(None, blocks)), lines)


def _block(part: str) -> Block | None:
    text = part.strip()
    if not text:
        return None
    label = "title" if text[0] == "#" else "table" if text[0] in "<|" else "text"
    return Block(label, text)


def _layer(content: bytes) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.pdf"
        path.write_bytes(content)
        pdf = PdfFile(path, password=None, max_pixels=MAX_PIXELS)
        try:
            pages = [pdf.render_page(index, dpi=DEFAULT_DPI) for index in range(pdf.num_pages)]
        finally:
            pdf.close()
    return tuple(line.text for page in pages for line in page.text_lines or ())


@cache
def _sentences() -> tuple[str, ...]:
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))]
    found = [" ".join(one.split()) for text in texts for one in _SENTENCE.findall(text)]
    return tuple(dict.fromkeys(one for one in found if one.isascii()))


def _prose(dice: random.Random, count: int) -> str:
    return " ".join(dice.sample(_sentences(), count))


def _columns(
    dice: random.Random, lefts: tuple[float, ...], width: float
) -> tuple[Sheet, list[Block]]:
    sheet, blocks = Sheet(), []
    heading = dice.choice(_sentences()).split(",")[0].rstrip(".")[:50]
    sheet.text(lefts[0], 70, heading, size=17)
    blocks.append(Block("title", f"# {heading}"))
    for left in lefts:
        y = 110.0
        while y < 640:
            text = _prose(dice, dice.randint(2, 4))
            y = sheet.paragraph(left, y, width, text, size=10, font=SERIF) + 8
            blocks.append(Block("text", text))
    return sheet, blocks


def prose(dice: random.Random) -> tuple[Sheet, list[Block]]:
    return _columns(dice, (70,), 450)


def two_columns(dice: random.Random) -> tuple[Sheet, list[Block]]:
    return _columns(dice, (60, 310), 225)


def hyphenated(dice: random.Random) -> tuple[Sheet, list[Block]]:
    """A narrow column whose long words are divided at the ends of lines."""
    sheet, blocks, y = Sheet(), [], 80.0
    for _ in range(5):
        text = _prose(dice, 3)
        divided = " ".join(_divided(word, dice) for word in text.split())
        for line in wrapped(divided, 260, 10, SERIF):
            shown = line.replace("- ", "") if not line.endswith("-") else line
            sheet.text(70, y, shown, size=10, font=SERIF)
            y += 13.5
        blocks.append(Block("text", text))
        y += 8
    return sheet, blocks


def _divided(word: str, dice: random.Random) -> str:
    """Two parts that a line may end between."""
    if len(word) < 9 or not word.isalpha() or dice.random() < 0.5:
        return word
    middle = len(word) // 2
    return f"{word[:middle]}- {word[middle:]}"


def table(dice: random.Random) -> tuple[Sheet, list[Block]]:
    sheet, rows = Sheet(), [["Article", "State", "Number", "Price", "Sum"]]
    for _ in range(dice.randint(14, 26)):
        number, price = dice.randint(1, 40), words.price(dice)
        row = [dice.choice(words.GOODS), dice.choice(words.STATES), str(number), price]
        rows.append([*row, f"{number * float(price):,.2f}"])
    intro = _prose(dice, 2)
    y = sheet.paragraph(60, 80, 470, intro, size=10) + 10
    for row in rows:
        for left, cell in zip((60, 190, 290, 350, 430), row, strict=True):
            sheet.text(left, y, cell, size=9)
        y += 15
    return sheet, [Block("text", intro), Block("table", _html(rows))]


def _html(rows: list[list[str]]) -> str:
    cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def form(dice: random.Random) -> tuple[Sheet, list[Block]]:
    """Two columns of keys with their values, painted column by column."""
    sheet, blocks = Sheet(), []
    fields = dice.sample(words.FIELDS, len(words.FIELDS))
    for left in (60, 320):
        for place, (key, value) in enumerate(fields):
            sheet.text(left, 90 + 40 * place, key, size=8)
            sheet.text(left, 102 + 40 * place, value, size=11)
            blocks.append(Block("text", f"{key}\n{value}"))
        fields = [(key, dice.choice(words.NAMES)) for key, _ in fields]
    closing = _prose(dice, 3)
    sheet.paragraph(60, 560, 470, closing, size=9)
    return sheet, [*blocks, Block("text", closing)]


def invoice(dice: random.Random) -> tuple[Sheet, list[Block]]:
    """The table is painted column by column, as some programs do."""
    sheet = Sheet()
    head = [dice.choice(words.NAMES), f"Mill Road {dice.randint(1, 90)}", dice.choice(words.TOWNS)]
    for place, line in enumerate(head):
        sheet.text(60, 70 + 14 * place, line, size=10)
    number = f"Invoice {dice.randint(1000, 9999)}"
    sheet.text(60, 150, number, size=16)
    rows = [
        [str(place), dice.choice(words.GOODS), words.price(dice)]
        for place in range(1, dice.randint(6, 14))
    ]
    for column, left in enumerate((60, 100, 400)):
        for place, row in enumerate(rows):
            sheet.text(left, 190 + 16 * place, row[column], size=10)
    total = f"Total {sum(float(row[2]) for row in rows):,.2f}"
    sheet.text(400, 210 + 16 * len(rows), total, size=11)
    notes = _prose(dice, 3)
    sheet.paragraph(60, 560, 470, notes, size=9)
    blocks = [Block("text", "\n".join(head)), Block("title", f"# {number}")]
    blocks += [Block("table", _html(rows)), Block("text", total), Block("text", notes)]
    return sheet, blocks


def shuffled(dice: random.Random) -> tuple[Sheet, list[Block]]:
    """The lines of running text are painted in any order."""
    sheet, blocks = prose(dice)
    dice.shuffle(sheet.operators)
    return sheet, blocks


KINDS: dict[str, Make] = {
    "prose": prose,
    "two columns": two_columns,
    "hyphenated": hyphenated,
    "table": table,
    "form": form,
    "invoice": invoice,
    "painted in any order": shuffled,
}
