"""The model's raw output grammar, to blocks and markdown and back. Only this module knows 999.

    <|ref|>label<|/ref|><|det|>[[x0, y0, x1, y1], ...]<|/det|>
    content

Raw output is input from outside: scanned by hand in linear time, never evaluated, and whatever is
broken in it costs a box at most, never text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dsocr.types import FIGURE_LABEL, Block, Box, figure_path

SCALE = 999
"""Coordinates run from 0 to this on both axes of the upright page, whatever its shape."""

_REF, _MIDDLE, _END = "<|ref|>", "<|/ref|><|det|>", "<|/det|>"

_LABELS = frozenset(
    {"title", "sub_title", "text", "line", "list", "code", "equation", "formula", "reference"}
    | {"image", "image_caption", "image_footnote", "figure", "figure_caption"}
    | {"table", "table_caption", "table_footnote"}
    | {"header", "footer", "footnote", "page_number"}
)
"""Labels that name a kind of region even when nothing follows them. The set is open."""

_LABEL_SHAPE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_NUMBER = r"[+-]?\d{1,9}(?:\.\d{0,9})?"
_QUAD = rf"[\[(]{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER},?[\])]"
_BOX = re.compile(rf"[\[(]({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER}),?[\])]")
_BOXES = re.compile(rf"[\[(](?:{_QUAD}(?:,{_QUAD})*,?)?[\])]")
_TOKEN = re.compile(r"<\|/?[A-Za-z_]{1,20}\|>|<｜[^｜<>]{1,40}｜>|<image>")
_MARKUP = re.compile(rf"<\|det\|>[\s\d,.\[\]-]*<\|/det\|>|</?center>|{_TOKEN.pattern}")
_CUT_REFERENCE = re.compile(
    r"(?P<label>[^<]*)(?P<closed><\|/ref\|>(?:<\|det\|>[^<]*)?)?(?:<[^<>]{0,8})?\Z"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """One `ref` and its `det`, where they stand in the raw text."""

    label: str
    """As the authors' pattern finds it: a ref that lacks a det swallows the text up to the next
    ref that has one."""
    boxes_text: str
    start: int
    end: int

    @property
    def coordinates(self) -> tuple[tuple[float, float, float, float], ...]:
        """The quadruples of its det, 0-999 as written; empty if any of it is unreadable."""
        compact = "".join(self.boxes_text.split())
        if re.search(r"[\d.]\s+[\d.]", self.boxes_text) or not _BOXES.fullmatch(compact):
            return ()
        return tuple(
            (float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in _BOX.findall(compact)
        )

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Fractions within the page; corners put in order, boxes without area left out."""
        boxes = []
        for x0, y0, x1, y1 in self.coordinates:
            left, right = sorted((_fraction(x0), _fraction(x1)))
            top, bottom = sorted((_fraction(y0), _fraction(y1)))
            if left < right and top < bottom:
                boxes.append(Box(left, top, right, bottom))
        return tuple(boxes)


class _Scanner:
    """Finds references in text that arrives in pieces, each with the text that stood before it.

    Finds what the authors' pattern finds (`<ref>(.*?)</ref><det>(.*?)</det>`, dots matching
    newlines) but looks at every character once.
    """

    def __init__(self) -> None:
        self._buffer = ""
        self._offset = 0  # of the buffer in the whole text
        self._marks: list[int] = []
        self._next = 0

    def feed(self, text: str) -> list[tuple[str, Reference]]:
        self._buffer += text
        buffer, found, done = self._buffer, [], 0
        while True:
            tag = (_REF, _MIDDLE, _END)[len(self._marks)]
            at = buffer.find(tag, self._next)
            if at < 0:
                self._next = max(self._next, len(buffer) - len(tag) + 1)
                break
            self._marks.append(at)
            self._next = at + len(tag)
            if tag == _END:
                ref, middle, end = self._marks
                reference = Reference(
                    label=buffer[ref + len(_REF) : middle],
                    boxes_text=buffer[middle + len(_MIDDLE) : end],
                    start=self._offset + ref,
                    end=self._offset + self._next,
                )
                found.append((buffer[done:ref], reference))
                done, self._marks = self._next, []
        self._buffer = buffer[done:]
        self._offset += done
        self._next -= done
        self._marks = [mark - done for mark in self._marks]
        return found

    def rest(self) -> str:
        """What stands after the last reference."""
        return self._buffer


class BlockStream:
    """Raw text in pieces of any size to blocks, each as soon as the reference after it closes."""

    def __init__(self, confidences: Sequence[float | None] = ()) -> None:
        self._scanner = _Scanner()
        self._confidences = iter(confidences)
        self._open: Reference | None = None
        self._table: Block | None = None

    def feed(self, text: str) -> list[Block]:
        """The blocks that this piece closes."""
        blocks: list[Block] = []
        for content, reference in self._scanner.feed(text):
            # The words a det-less ref swallowed go back to the text they stood in.
            swallowed, tag, _ = reference.label.rpartition(_REF)
            blocks += self._close(content + tag + swallowed)
            self._open = reference
        return _with_substance(blocks)

    def finish(self) -> list[Block]:
        """The blocks that the end of the text closes. Nothing may be fed after it."""
        blocks = self._close(_without_cut_tail(self._scanner.rest()))
        if self._table:
            blocks.append(self._table)
        return _with_substance(blocks)

    def _close(self, content: str) -> list[Block]:
        text = _tidy(content)
        if self._open is None:
            return [Block("text", text)] if text else []
        closed = _blocks(self._open, text, next(self._confidences, None))
        if self._table:
            closed = _with_table(self._table, closed)
            self._table = None
        if closed[-1].label == "table" and not closed[-1].text:
            self._table = closed.pop()
        return closed


def references(raw: str) -> list[Reference]:
    """All references, left to right, as the authors' pattern finds them."""
    return [reference for _, reference in _Scanner().feed(raw)]


def parse(raw: str, *, confidences: Sequence[float | None] | None = None) -> list[Block]:
    """Raw output to blocks in reading order; `confidences` go to the references in their order.

    Text outside any reference is a "text" block without a box. A label that is no label but the
    words themselves ("OCR this image", "Locate ...") gives a "line" block with those words.
    """
    stream = BlockStream(confidences or ())
    return [*stream.feed(raw), *stream.finish()]


def compose_raw(blocks: Iterable[Block]) -> str:
    """Blocks to raw output that `parse` reads back; no text in them can pass for markup."""
    parts: list[str] = []
    for block in _with_substance(blocks):
        label, text = _escape(block.label), _escape(block.text)
        if label == "text" and not block.boxes and not parts:
            parts.append(f"{text}\n\n")
            continue
        if label == "line" and text not in _LABELS:
            label, text = text, ""
        boxes = ", ".join(str(_coordinates(box)) for box in block.boxes)
        parts.append(f"{_REF}{label}{_MIDDLE}[{boxes}]{_END}\n" + (f"{text}\n\n" if text else ""))
    return "".join(parts).rstrip()


def clean_markdown(raw: str, *, page_index: int) -> str:
    """Raw output to markdown for people.

    Follows the authors' PDF script (figures as `images/{page}_{n}.jpg`, blank lines collapsed,
    `\\coloneqq` and `\\eqqcolon` spelled out) but differs where that loses or garbles something:
    spellings are mended without any reference too; the lines of "OCR this image" are kept; every
    readable box of a figure has its own link and an unreadable one none, so links and files agree;
    identical figures are numbered apart; `<center>` and special tokens go; a reference cut off at
    the length limit leaves nothing behind.
    """
    return markdown_of(parse(raw), page_index=page_index)


def markdown_of(blocks: Iterable[Block], *, page_index: int) -> str:
    """One page's blocks as markdown; the n-th figure box links to `figure_path(page_index, n)`."""
    text, number, previous = "", 0, ""
    for block in blocks:
        pieces = []
        if block.label == FIGURE_LABEL:
            for _ in block.boxes:
                pieces.append(f"![]({figure_path(page_index, number)})")
                number += 1
        if block.text:
            pieces.append(_escape(block.text))
        if not pieces:
            continue
        lines = block.label == previous == "line"
        text += ("\n" if lines else "\n\n" if text else "") + "\n\n".join(pieces)
        previous = block.label
    return text


def _fraction(coordinate: float) -> float:
    return min(1.0, max(0.0, coordinate / SCALE))


def _coordinates(box: Box) -> list[int]:
    x0, y0 = (min(SCALE - 1, round(side * SCALE)) for side in (box.x0, box.y0))
    # A box thinner than the grid is widened: without area it would be lost.
    return [x0, y0, max(x0 + 1, round(box.x1 * SCALE)), max(y0 + 1, round(box.y1 * SCALE))]


def _with_substance(blocks: Iterable[Block]) -> list[Block]:
    """Those that say something or stand somewhere."""
    return [block for block in blocks if block.text or block.boxes]


def _blocks(reference: Reference, text: str, confidence: float | None) -> list[Block]:
    label = _tidy(reference.label.rpartition(_REF)[2])
    if label in _LABELS or (text and _LABEL_SHAPE.fullmatch(label)):
        return [Block(label, text, reference.boxes, confidence)]
    blocks = [Block("line", label, reference.boxes, confidence)]
    return [*blocks, Block("text", text)] if text else blocks


def _with_table(table: Block, blocks: list[Block]) -> list[Block]:
    """The model writes a table's reference, its caption, then the table: gives the table back."""
    caption = blocks[0]
    at = caption.text.find("<table") if caption.label == "table_caption" else -1
    if at < 0:
        return [table, *blocks]
    words, rows = caption.text[:at].rstrip(), caption.text[at:]
    return [
        Block(caption.label, words, caption.boxes, caption.confidence),
        Block(table.label, rows, table.boxes, table.confidence),
        *blocks[1:],
    ]


def _without_cut_tail(text: str) -> str:
    """Drops a reference that the length limit cut; its label stays if it was page text."""
    at = text.rfind(_REF)
    cut = _CUT_REFERENCE.match(text, at + len(_REF)) if at >= 0 else None
    if cut:
        label = cut["label"].strip()
        is_label = label in _LABELS if cut["closed"] else any(k.startswith(label) for k in _LABELS)
        return text[:at] + ("" if is_label else label)
    for tag in (_REF, _MIDDLE, _END):
        for size in range(len(tag) - 1, 2, -1):
            if text.endswith(tag[:size]):
                return text[:-size]
    return text


def _tidy(text: str) -> str:
    text = _MARKUP.sub("", text)
    # What removal brought together ("<|re<|ref|>f|>") is shown as words, in one more pass only.
    text = _escape(text).replace("\\coloneqq", ":=").replace("\\eqqcolon", "=:")
    lines: list[str] = []
    for line in text.strip().split("\n"):
        if line.strip():
            lines.append(line)
        elif lines and lines[-1]:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
    return "\n".join(lines)


def _escape(text: str) -> str:
    """Special tokens as words that markdown shows as they are; nothing left can be markup."""
    return _TOKEN.sub(lambda token: f"&lt;{token[0][1:]}", text)
