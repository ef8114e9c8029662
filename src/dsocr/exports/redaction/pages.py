"""What of a page is redacted, and where it stands on the picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from dsocr.errors import BadRequest
from dsocr.exports.layout.lines import lines_by_block, plain_block
from dsocr.exports.redaction.matching import Spans, covered_text, echo, find, masked, pieces
from dsocr.exports.redaction.normal import MASK, compact
from dsocr.exports.redaction.patterns import Searcher
from dsocr.types import Block, Box, PageResult, TextLine

_NO_TEXT = ("header", "footer", "page_number")
_EDGE_CHARACTERS = 200


@dataclass(slots=True)
class Redaction:
    """Of one page: spans by the numbers of its lines and blocks."""

    lines: dict[int, Spans] = field(default_factory=dict)
    blocks: dict[int, Spans] = field(default_factory=dict)
    whole_blocks: set[int] = field(default_factory=set)
    """Blocks whose lines do not show where the match is: they are covered as a whole."""
    markdown: Spans = field(default_factory=list)
    content: int = 0
    """A hash of the page's content that this was made for."""


@dataclass(frozen=True, slots=True)
class Covered:
    """A place on the picture: parts of a line, or a whole box."""

    box: Box
    line: TextLine | None = None
    spans: Spans = field(default_factory=list)


def refuse(page: PageResult, reason: str) -> BadRequest:
    return BadRequest(f"Page {page.index + 1} cannot be redacted: {reason}")


def planned(page: PageResult, searcher: Searcher, echoes: Sequence[str] = ()) -> Redaction:
    """Raises `BadRequest` for a page that was not read to its end, and for a match that has no
    place."""
    _check_is_read(page)
    found = _found(page, searcher, echoes)
    if more := _echoes(page, found):
        found = _found(page, searcher, [*echoes, *more])
    found.content = _hash(page)
    _locate(page, found)
    _check_is_clean(page, found, searcher)
    return found


def edge_echoes(before: PageResult, after: PageResult, searcher: Searcher) -> list[str]:
    """Expressions for the parts of matches that run over the end of a page."""
    first, second = _edge_text(before, last=True), _edge_text(after, last=False)
    found: list[str] = []
    joined = f"{first}\n{second}"
    spans = find(searcher, joined, is_markdown=True)
    for piece in pieces(joined, spans):
        parts = piece.split("\n")
        if len(parts) > 1 and joined.find(piece) <= len(first) < joined.find(piece) + len(piece):
            found += filter(None, (echo(part, 1) for part in parts))
    return found


def _edge_text(page: PageResult, *, last: bool) -> str:
    texts = [block.text for block in page.blocks if block.text and block.label not in _NO_TEXT]
    texts = texts or [page.markdown]
    return texts[-1][-_EDGE_CHARACTERS:] if last else texts[0][:_EDGE_CHARACTERS]


def applied(page: PageResult, redaction: Redaction) -> PageResult:
    """The page without what is redacted, and without the engine's raw text. Raises `BadRequest`
    for a page that is not the one planned for: a stored page may be corrected meanwhile."""
    if _hash(page) != redaction.content:
        raise refuse(page, "it was changed meanwhile. Export the document again.")
    blocks = tuple(
        replace(block, text=masked(block.text, redaction.blocks[place]))
        if place in redaction.blocks
        else block
        for place, block in enumerate(page.blocks)
    )
    hidden = _lines_of(page, redaction.whole_blocks)
    lines = tuple(
        replace(line, text=MASK, words=(), fonts=())
        if place in hidden
        else _masked_line(line, redaction.lines.get(place, []))
        for place, line in enumerate(page.lines)
    )
    markdown = masked(page.markdown, redaction.markdown)
    return replace(page, markdown=markdown, blocks=blocks, lines=lines, raw="")


def places(page: PageResult, redaction: Redaction) -> list[Covered]:
    """What to cover on the picture."""
    found = [
        Covered(page.lines[place].box, page.lines[place], spans)
        for place, spans in redaction.lines.items()
    ]
    for place in redaction.whole_blocks:
        found += (Covered(box) for box in page.blocks[place].boxes)
    found += (Covered(page.lines[place].box) for place in _lines_of(page, redaction.whole_blocks))
    return found


def _hash(page: PageResult) -> int:
    return hash((page.markdown, page.blocks, page.lines))


def _masked_line(line: TextLine, spans: Spans) -> TextLine:
    if not spans:
        return line
    return replace(line, text=masked(line.text, spans), words=(), fonts=())


def _check_is_read(page: PageResult) -> None:
    if page.error is not None:
        raise refuse(page, "it could not be read.")
    if page.finish_reason != "stop":
        raise refuse(page, "its text is not complete. Read the page again.")


def _found(page: PageResult, searcher: Searcher, echoes: Sequence[str]) -> Redaction:
    texts = [line.text for line in page.lines]
    by_block, _ = lines_by_block(page)
    numbers = {id(line): place for place, line in enumerate(page.lines)}
    orders = [list(range(len(texts)))]
    groups = ([numbers[id(line)] for line in group] for group in by_block.values())
    orders += (group for group in groups if group[-1] - group[0] != len(group) - 1)
    lines: dict[int, set[tuple[int, int]]] = {}
    for order in orders:
        for place, spans in _in_order(texts, order, searcher, echoes, is_markdown=False).items():
            lines.setdefault(place, set()).update(spans)
    block_texts = [block.text for block in page.blocks]
    blocks = _in_order(
        block_texts, list(range(len(block_texts))), searcher, echoes, is_markdown=True
    )
    return Redaction(
        {place: sorted(spans) for place, spans in lines.items()},
        blocks,
        markdown=find(searcher, page.markdown, echoes, is_markdown=True),
    )


def _in_order(
    texts: Sequence[str],
    order: Sequence[int],
    searcher: Searcher,
    echoes: Sequence[str],
    *,
    is_markdown: bool,
) -> dict[int, Spans]:
    """The matches in texts that follow each other, also over their ends, by text."""
    starts: list[int] = []
    at = 0
    for place in order:
        starts.append(at)
        at += len(texts[place]) + 1
    joined = "\n".join(texts[place] for place in order)
    found: dict[int, Spans] = {}
    number = 0
    for start, end in find(searcher, joined, echoes, is_markdown=is_markdown):
        while number + 1 < len(starts) and starts[number + 1] <= start:
            number += 1
        text, first = texts[order[number]], starts[number]
        span = (start - first, min(end - first, len(text)))
        if span[0] < span[1]:
            found.setdefault(order[number], []).append(span)
    return found


def _echoes(page: PageResult, found: Redaction) -> list[str]:
    """Expressions for what is matched in the lines, the blocks or the markdown, but not in all."""
    in_lines = _pieces(page.lines, found.lines)
    in_blocks = _pieces(page.blocks, found.blocks)
    in_markdown = {compact(piece): piece for piece in pieces(page.markdown, found.markdown)}
    everywhere = in_lines.keys() & in_blocks.keys() & in_markdown.keys()
    matched = in_lines | in_blocks | in_markdown
    made = (echo(matched[letters]) for letters in sorted(matched.keys() - everywhere))
    return [each for each in made if each]


def _pieces(texts: Sequence[TextLine] | Sequence[Block], found: dict[int, Spans]) -> dict[str, str]:
    return {
        compact(piece): piece
        for place, spans in found.items()
        for piece in pieces(texts[place].text, spans)
    }


def _locate(page: PageResult, found: Redaction) -> None:
    by_block, _ = lines_by_block(page)
    numbers = {id(line): place for place, line in enumerate(page.lines)}
    on_lines = Counter(_covered(page.lines, found.lines))
    for place, spans in found.blocks.items():
        block = page.blocks[place]
        needed = Counter(covered_text(block.text, spans))
        own = {numbers[id(line)] for line in by_block.get(place, ())}
        in_block = {key: each for key, each in found.lines.items() if key in own}
        if own and needed <= Counter(_covered(page.lines, in_block)) and needed:
            continue
        if block.boxes:
            found.whole_blocks.add(place)
        elif not needed or not needed <= on_lines:
            raise refuse(page, "a match has no place on it.")
    in_blocks = Counter(_covered(page.blocks, found.blocks))
    in_markdown = Counter(covered_text(page.markdown, found.markdown))
    has_place = in_markdown <= in_blocks or in_markdown <= on_lines
    if found.markdown and not (has_place and (found.blocks or found.lines)):
        raise refuse(page, "a match has no place on it.")


def _covered(texts: Sequence[TextLine] | Sequence[Block], found: dict[int, Spans]) -> str:
    return "".join(covered_text(texts[place].text, spans) for place, spans in found.items())


def _lines_of(page: PageResult, blocks: Iterable[int]) -> set[int]:
    if not blocks:
        return set()
    by_block, _ = lines_by_block(page)
    numbers = {id(line): place for place, line in enumerate(page.lines)}
    return {numbers[id(line)] for place in blocks for line in by_block.get(place, ())}


def _check_is_clean(page: PageResult, found: Redaction, searcher: Searcher) -> None:
    """Searches what is written once more, as a reader of the file gets it."""
    clean = applied(page, found)
    for source in (clean.markdown, "\n\n".join(block.text for block in clean.blocks)):
        text = plain_block(source)
        if text != source and any(compact(piece) for piece in pieces(text, find(searcher, text))):
            raise refuse(page, "a match stays in its text.")
