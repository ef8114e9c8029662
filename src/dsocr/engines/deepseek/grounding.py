"""The model's raw output grammar: parsed to blocks and markdown, and composed from blocks.

    <|ref|>label<|/ref|><|det|>[[x0, y0, x1, y1], ...]<|/det|>
    content

or flat, as Unlimited-OCR writes it:

    <|det|>label [x0, y0, x1, y1]<|/det|>content

Coordinates on the scale of 0-999 occur only here. Raw output is untrusted input: it is scanned in
linear time and never evaluated; malformed references lose their boxes, never their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dsocr.types import (
    FIGURE_LABEL,
    Block,
    Box,
    FinishReason,
    PageImage,
    PageResult,
    TextLine,
    Usage,
    figure_path,
)

SCALE = 999
"""Coordinates run from 0 to this on both axes of the upright page, whatever its shape."""

_REF, _MIDDLE, _END = "<|ref|>", "<|/ref|><|det|>", "<|/det|>"
_OPENING = re.compile(r"<\|(?:ref|det)\|>")
_FLAT = re.compile(r"<\|det\|>\s*([A-Za-z_][\w-]{0,31})\s*(\[[^<]*\])\s*<\|/det\|>")
_MAX_FLAT = 200
"""A flat reference is no longer: a det without an end does not hold back what follows it."""
_PAGE_MARK = re.compile(r"^[ \t]*<PAGE>[ \t]*$", re.MULTILINE)
"""What Unlimited-OCR writes before each of several pages."""

_LABELS = frozenset(
    {"title", "sub_title", "text", "line", "list", "code", "equation", "formula", "reference"}
    | {"image", "image_caption", "image_footnote", "figure", "figure_caption"}
    | {"table", "table_caption", "table_footnote"}
    | {"header", "footer", "footnote", "page_number"}
)
"""Labels that name a kind of region even without content after them. Others may occur."""

_LABEL_SHAPE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_NUMBER = r"[+-]?\d{1,9}(?:\.\d{0,9})?"
_QUAD = rf"[\[(]{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER},?[\])]"
_BOX = re.compile(rf"[\[(]({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER}),?[\])]")
_BOXES = re.compile(rf"[\[(](?:{_QUAD}(?:,{_QUAD})*,?)?[\])]")
_TOKEN = re.compile(r"<\|/?[A-Za-z_]{1,20}\|>|<｜[^｜<>]{1,40}｜>|<image>")
_MARKUP = re.compile(rf"<\|det\|>[\s\d,.\[\]-]*<\|/det\|>|</?center>|{_TOKEN.pattern}")
_TRUNCATED_REFERENCE = re.compile(
    r"(?P<label>[^<]*)(?P<closed><\|/ref\|>(?:<\|det\|>[^<]*)?)?(?:<[^<>]{0,8})?\Z"
)


_TRUNCATED_FLAT = re.compile(
    r"<\|det\|>\s*(?P<label>[A-Za-z_][\w-]{0,31})?\s*"
    r"(?P<box>\[[\d\s,.]*\]?)?\s*(?:<[^<>]{0,8})?\Z"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """One `ref` with its `det`, or one flat `det`, and their position in the raw text."""

    label: str
    """As the authors' pattern finds it: a ref without a det includes the text up to the next ref
    that has one."""
    boxes_text: str
    start: int
    end: int
    flat: bool = False
    """Whether it is a det alone: its label always names a kind of region."""

    @property
    def coordinates(self) -> tuple[tuple[float, float, float, float], ...]:
        """The quadruples of its det, 0-999 as written; empty if any of them is malformed."""
        compact = "".join(self.boxes_text.split())
        if re.search(r"[\d.]\s+[\d.]", self.boxes_text) or not _BOXES.fullmatch(compact):
            return ()
        return tuple(
            (float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in _BOX.findall(compact)
        )

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Fractions of the page; corners are sorted, boxes without area are left out."""
        boxes = []
        for x0, y0, x1, y1 in self.coordinates:
            left, right = sorted((_fraction(x0), _fraction(x1)))
            top, bottom = sorted((_fraction(y0), _fraction(y1)))
            if left < right and top < bottom:
                boxes.append(Box(left, top, right, bottom))
        return tuple(boxes)


class _Scanner:
    """Finds references in text that arrives in pieces, each with the text before it.

    Finds the same as the authors' pattern (`<ref>(.*?)</ref><det>(.*?)</det>`, dots matching
    newlines) and flat references between these, but scans every character once.
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
            if not self._marks:
                flat = self._next_opening()
                if flat is not None:
                    found.append((buffer[done : flat.start - self._offset], flat))
                    done = self._next
                    continue
                if not self._marks:
                    break
            tag = (_MIDDLE, _END)[len(self._marks) - 1]
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

    def _next_opening(self) -> Reference | None:
        """Goes on to the next flat reference and returns it, or to the next ref, whose place
        becomes the first mark. Without either it waits for more text."""
        buffer = self._buffer
        while opening := _OPENING.search(buffer, self._next):
            at = opening.start()
            if opening[0] == _REF:
                self._marks.append(at)
                self._next = opening.end()
                return None
            flat = _FLAT.match(buffer, at, at + _MAX_FLAT)
            if flat is not None:
                self._next = flat.end()
                boxes = flat[2] if flat[2].startswith("[[") else f"[{flat[2]}]"
                start, end = self._offset + at, self._offset + flat.end()
                return Reference(flat[1], boxes, start, end, flat=True)
            if buffer.find(_END, at, at + _MAX_FLAT) < 0 and len(buffer) < at + _MAX_FLAT:
                self._next = at  # its end may follow
                return None
            self._next = opening.end()
        self._next = max(self._next, len(buffer) - len(_REF) + 1)
        return None

    def rest(self) -> str:
        """The text after the last reference."""
        return self._buffer


class BlockStream:
    """Parses raw text in pieces of any size to blocks, each once the next reference is complete."""

    def __init__(self, confidences: Sequence[float | None] = ()) -> None:
        self._scanner = _Scanner()
        self._confidences = iter(confidences)
        self._open: Reference | None = None
        self._table: Block | None = None

    def feed(self, text: str) -> list[Block]:
        """The blocks that this piece completes."""
        blocks: list[Block] = []
        for content, reference in self._scanner.feed(text):
            # Text that a ref without a det included belongs to the block before.
            included, tag, _ = reference.label.rpartition(_REF)
            blocks += self._close(content + tag + included, before_flat=reference.flat)
            self._open = reference
        return _not_empty(blocks)

    def finish(self) -> list[Block]:
        """The blocks that the end of the text completes. Nothing may be fed after it."""
        blocks = self._close(_without_truncated_tail(self._scanner.rest()))
        if self._table:
            blocks.append(self._table)
        return _not_empty(blocks)

    def _close(self, content: str, *, before_flat: bool = False) -> list[Block]:
        if before_flat or (self._open is not None and self._open.flat):
            content = _PAGE_MARK.sub("", content)
        text = _tidy(content)
        if self._open is None:
            return [Block("text", text)] if text else []
        closed = _blocks(self._open, text, next(self._confidences, None))
        if self._table:
            closed = _table_after_caption(self._table, closed)
            self._table = None
        if closed[-1].label == "table" and not closed[-1].text:
            self._table = closed.pop()
        return closed


def references(raw: str) -> list[Reference]:
    """All references, left to right, as the authors' pattern finds them."""
    return [reference for _, reference in _Scanner().feed(raw)]


def parse(raw: str, *, confidences: Sequence[float | None] | None = None) -> list[Block]:
    """Raw output to blocks in reading order; `confidences` belong to the references, in order.

    Text outside any reference becomes a "text" block without a box. A reference whose label is text
    of the page ("OCR this image", "Locate ...") becomes a "line" block with that text.
    """
    stream = BlockStream(confidences or ())
    return [*stream.feed(raw), *stream.finish()]


def compose_raw(blocks: Iterable[Block]) -> str:
    """Raw output that `parse` turns into the same blocks; their text cannot act as markup."""
    parts: list[str] = []
    for block in _not_empty(blocks):
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
    """Raw output to markdown.

    Follows the authors' PDF script (figures as `images/{page}_{n}.jpg`, blank lines collapsed,
    `\\coloneqq` and `\\eqqcolon` spelled out) except where that loses text or links: spellings are
    replaced in text without references too; the lines of "OCR this image" are kept; every valid box
    of a figure has its own link and an invalid one none, so that links and files agree; identical
    figures have different numbers; `<center>`, special tokens and a reference truncated at the
    length limit are removed.
    """
    return markdown_of(parse(raw), page_index=page_index)


def result_of_blocks(
    page: PageImage,
    blocks: Sequence[Block],
    *,
    raw: str,
    usage: Usage,
    lines: Sequence[TextLine] = (),
    finish_reason: FinishReason = "stop",
    flags: Sequence[str] = (),
    review_share: float | None = None,
) -> PageResult:
    """The result of a page with the index and size of `page` and the markdown of its blocks."""
    return PageResult(
        index=page.index,
        width=page.width,
        height=page.height,
        markdown=markdown_of(blocks, page_index=page.index),
        blocks=tuple(blocks),
        lines=tuple(lines),
        raw=raw,
        finish_reason=finish_reason,
        flags=tuple(flags),
        review_share=review_share,
        usage=usage,
    )


def markdown_of(blocks: Iterable[Block], *, page_index: int) -> str:
    """One page's blocks as markdown; the n-th figure box links to `figure_path(page_index, n)`."""
    text, number, previous = "", 0, ""
    for block in blocks:
        parts = []
        if block.label == FIGURE_LABEL:
            for _ in block.boxes:
                parts.append(f"![]({figure_path(page_index, number)})")
                number += 1
        if block.text:
            parts.append(_escape(block.text))
        if not parts:
            continue
        lines = block.label == previous == "line"
        text += ("\n" if lines else "\n\n" if text else "") + "\n\n".join(parts)
        previous = block.label
    return text


def _fraction(coordinate: float) -> float:
    return min(1.0, max(0.0, coordinate / SCALE))


def _coordinates(box: Box) -> list[int]:
    x0, y0 = (min(SCALE - 1, round(side * SCALE)) for side in (box.x0, box.y0))
    # A box thinner than the grid is widened: `parse` drops boxes without area.
    return [x0, y0, max(x0 + 1, round(box.x1 * SCALE)), max(y0 + 1, round(box.y1 * SCALE))]


def _not_empty(blocks: Iterable[Block]) -> list[Block]:
    """Blocks that have text or boxes."""
    return [block for block in blocks if block.text or block.boxes]


def _blocks(reference: Reference, text: str, confidence: float | None) -> list[Block]:
    label = _tidy(reference.label.rpartition(_REF)[2])
    if reference.flat or label in _LABELS or (text and _LABEL_SHAPE.fullmatch(label)):
        return [Block(label, text, reference.boxes, confidence)]
    blocks = [Block("line", label, reference.boxes, confidence)]
    return [*blocks, Block("text", text)] if text else blocks


def _table_after_caption(table: Block, blocks: list[Block]) -> list[Block]:
    """The model writes a table's rows after its caption's reference: moves them to the table."""
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


def _without_truncated_tail(text: str) -> str:
    """Drops a reference truncated at the length limit; its label stays if it is page text."""
    at = text.rfind(_REF)
    cut = _TRUNCATED_REFERENCE.match(text, at + len(_REF)) if at >= 0 else None
    if cut:
        label = cut["label"].strip()
        is_label = label in _LABELS if cut["closed"] else any(k.startswith(label) for k in _LABELS)
        return text[:at] + ("" if is_label else label)
    flat = _TRUNCATED_FLAT.search(text, max(0, len(text) - _MAX_FLAT))
    if flat and (flat["box"] or any(k.startswith(flat["label"] or "") for k in _LABELS)):
        return text[: flat.start()]
    for tag in (_REF, _MIDDLE, _END):
        for size in range(len(tag) - 1, 2, -1):
            if text.endswith(tag[:size]):
                return text[:-size]
    return text


def _tidy(text: str) -> str:
    text = _MARKUP.sub("", text)
    # Markup that the removal has formed ("<|re<|ref|>f|>") is escaped, not removed.
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
    """Special tokens escaped, so that markdown shows them and nothing acts as markup."""
    return _TOKEN.sub(lambda token: f"&lt;{token[0][1:]}", text)
