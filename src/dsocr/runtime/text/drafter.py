"""Drafts of one page: looked up in its text layer and its own output, as many as prove right.

A text layer is tokenized in two spellings, as the model may write it: with its line ends as breaks,
and as blanks, where divided words are joined. Knows no tensors.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence

from dsocr.runtime.text.draft_lookup import END, DraftLookup, Grammar
from dsocr.runtime.text.tokenizer import Tokenizer

MAX_DRAFT = 16
"""Most tokens of a draft."""
FIRST_DRAFT = 8
MIN_DRAFT = 4
"""By `bench.drafts` this rule accepts more than a fixed length of 8 and drafts as few."""
MAX_CHARACTERS = 32_768
"""Of a text layer; a page's context holds fewer tokens."""


class DraftCounts:
    """Counts of one page's drafts."""

    num_drafted = 0
    num_accepted = 0
    """Drafted tokens that became output."""

    def record(self, drafted: int, accepted: int) -> None:
        """Counts a draft and how many of its tokens were right."""
        self.num_drafted += drafted
        self.num_accepted += accepted


class DraftReferences(DraftCounts):
    """The references of one page, for a look-up elsewhere."""

    def __init__(self, references: Iterable[Sequence[int]]) -> None:
        self.tokens = array("i")
        """Their ids, with END after each."""
        for one in references:
            self.tokens.extend(one)
            self.tokens.append(END)


class Drafter(DraftCounts):
    """Drafts of one page. The length of a draft follows what was accepted: it doubles with each
    one that is right to its end, and halves with each one of which less than half is."""

    def __init__(self, lookup: DraftLookup) -> None:
        self._lookup = lookup
        self._length, self._num_pushed = FIRST_DRAFT, 0

    def propose(self, output_ids: Sequence[int], most: int) -> tuple[int, ...]:
        """At most `most` tokens that may come after the output so far; empty where no match is
        found. Output is only ever appended."""
        for token in output_ids[self._num_pushed :]:
            self._lookup.push(token)
        self._num_pushed = len(output_ids)
        return tuple(self._lookup.propose(min(most, self._length)))

    def record(self, drafted: int, accepted: int) -> None:
        super().record(drafted, accepted)
        if accepted == drafted >= self._length:
            self._length = min(MAX_DRAFT, 2 * self._length)
        elif 2 * accepted < drafted:
            self._length = max(MIN_DRAFT, self._length // 2)


class Drafting:
    """Makes the drafters of pages. May be called from several threads."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer, self.grammar = tokenizer, output_grammar(tokenizer)

    def drafter(self, text_layer: Sequence[str]) -> Drafter:
        """The drafter of a page with these lines of text; without any it drafts from the page's own
        output alone."""
        return Drafter(DraftLookup(self._encoded(text_layer), grammar=self.grammar))

    def references(self, text_layer: Sequence[str]) -> DraftReferences:
        """The references of a page with these lines of text, for a look-up on the device."""
        return DraftReferences(self._encoded(text_layer))

    def _encoded(self, text_layer: Sequence[str]) -> list[list[int]]:
        texts = spellings([*_cleaned(text_layer)])
        return self._tokenizer.encode_all_once(texts)


def output_grammar(tokenizer: Tokenizer) -> Grammar:
    """Ids of the grammar that a page with boxes is written in."""
    bracket, brackets_end = tokenizer.encode("[["), tokenizer.encode("]]")
    line_break, numbers = tokenizer.encode("\n"), (tokenizer.token_of(f"{n}") for n in range(1000))
    box_start, box_end, reference_end, cell, cell_end = (
        tokenizer.encode(word)[0] for word in ("<|det|>", "<|/det|>", "<|/ref|>", "<td>", "</td>")
    )
    return Grammar(
        box_start,
        box_end,
        follows={
            reference_end: (box_start, *bracket),
            box_end: tuple(line_break),
            cell_end: (cell,),
        },
        starts=frozenset({*line_break, cell}),
        numbers=frozenset(number for number in numbers if number is not None),
        separator=tuple(tokenizer.encode(", ")),
        box_close=(*brackets_end, box_end, *line_break),
    )


def spellings(lines: Sequence[str]) -> list[str]:
    """A layer with its line ends as breaks, and as blanks, where divided words are joined."""
    if not lines:
        return []
    return ["\n".join(lines), " ".join(lines).replace("- ", "")]


def _cleaned(lines: Sequence[str]) -> Iterator[str]:
    """The lines up to `MAX_CHARACTERS`, without control characters and runs of blanks."""
    left = MAX_CHARACTERS
    for line in lines:
        printable = line[:left]
        if not printable.isprintable():  # most are: a look at each character takes much longer
            printable = "".join(filter(_is_printable, printable))
        left -= len(line)
        if text := " ".join(printable.split()):
            yield text
        if left <= 0:
            return


def _is_printable(character: str) -> bool:
    return character == "\t" or not unicodedata.category(character).startswith("C")
