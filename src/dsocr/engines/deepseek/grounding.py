"""The model's raw output grammar: parsed to blocks and markdown, and composed from blocks.

    <|ref|>label<|/ref|><|det|>[[x0, y0, x1, y1], ...]<|/det|>
    content

or flat, as Unlimited-OCR writes it:

    <|det|>label [x0, y0, x1, y1]<|/det|>content

References are found by `references.py`. Raw output is untrusted input: it is never evaluated;
malformed references lose their boxes, never their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dsocr.engines.deepseek.references import (
    END,
    MAX_FLAT,
    MIDDLE,
    REF,
    SCALE,
    Reference,
    Scanner,
)
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
_TOKEN = re.compile(r"<\|/?[A-Za-z_]{1,20}\|>|<｜[^｜<>]{1,40}｜>|<image>")
_MARKUP = re.compile(rf"<\|det\|>[\s\d,.\[\]-]*<\|/det\|>|</?center>|{_TOKEN.pattern}")
_TRUNCATED_REFERENCE = re.compile(
    r"(?P<label>[^<]*)(?P<closed><\|/ref\|>(?:<\|det\|>[^<]*)?)?(?:<[^<>]{0,8})?\Z"
)


_TRUNCATED_FLAT = re.compile(
    r"<\|det\|>\s*(?P<label>[A-Za-z_][\w-]{0,31})?\s*"
    r"(?P<box>\[[\d\s,.]*\]?)?\s*(?:<[^<>]{0,8})?\Z"
)


class BlockStream:
    """Parses raw text in pieces of any size to blocks, each once the next reference is complete."""

    def __init__(self, confidences: Sequence[float | None] = ()) -> None:
        self._scanner = Scanner()
        self._confidences = iter(confidences)
        self._open: Reference | None = None
        self._table: Block | None = None

    def feed(self, text: str) -> list[Block]:
        """The blocks that this piece completes."""
        blocks: list[Block] = []
        for content, reference in self._scanner.feed(text):
            # Text that a ref without a det included belongs to the block before.
            included, tag, _ = reference.label.rpartition(REF)
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
    return [reference for _, reference in Scanner().feed(raw)]


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
        parts.append(f"{REF}{label}{MIDDLE}[{boxes}]{END}\n" + (f"{text}\n\n" if text else ""))
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


def _coordinates(box: Box) -> list[int]:
    x0, y0 = (min(SCALE - 1, round(side * SCALE)) for side in (box.x0, box.y0))
    # A box thinner than the grid is widened: `parse` drops boxes without area.
    return [x0, y0, max(x0 + 1, round(box.x1 * SCALE)), max(y0 + 1, round(box.y1 * SCALE))]


def _not_empty(blocks: Iterable[Block]) -> list[Block]:
    """Blocks that have text or boxes."""
    return [block for block in blocks if block.text or block.boxes]


def _blocks(reference: Reference, text: str, confidence: float | None) -> list[Block]:
    label = _tidy(reference.label.rpartition(REF)[2])
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
    at = text.rfind(REF)
    cut = _TRUNCATED_REFERENCE.match(text, at + len(REF)) if at >= 0 else None
    if cut:
        label = cut["label"].strip()
        is_label = label in _LABELS if cut["closed"] else any(k.startswith(label) for k in _LABELS)
        return text[:at] + ("" if is_label else label)
    flat = _TRUNCATED_FLAT.search(text, max(0, len(text) - MAX_FLAT))
    if flat and (flat["box"] or any(k.startswith(flat["label"] or "") for k in _LABELS)):
        return text[: flat.start()]
    for tag in (REF, MIDDLE, END):
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
