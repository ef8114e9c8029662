"""Drafts: guesses of a page's next tokens, looked up in texts that it is likely to repeat.

A reference is a text known before the page is read, such as a PDF's own text layer; the page's own
output is one too. The last tokens written are looked for in them, and what follows there is the
draft. Most of a layer is written in its order, so the place after the last one used comes first,
and where a block of text begins, the draft continues there without a match. The grammar's fixed
strings are drafted as well, also those between the numbers of a box; the numbers are not. Knows no
tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

END = -1
"""Between two references, and never drafted."""
LONGEST, SHORTEST = 3, 2
"""Tokens of a match: the longest one that is found is used."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """Token ids of the output grammar."""

    box_start: int | None = None
    """`<|det|>`: until `box_end` numbers are written, which are not drafted."""
    box_end: int | None = None
    follows: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """A token to the tokens that always, or nearly always, come after it."""
    starts: frozenset[int] = frozenset()
    """Tokens after which the text of a block or a cell begins."""
    numbers: frozenset[int] = frozenset()
    """Numbers of a box, each of one token."""
    separator: tuple[int, ...] = ()
    """Between two numbers."""
    box_close: tuple[int, ...] = ()
    """After the last of every four."""

    def box_after(self, box: int, token: int) -> int:
        """`box` once the token is written: 0 outside of a box, and inside 1 more than its numbers
        so far."""
        if token == self.box_start:
            return 1
        if token == self.box_end:
            return 0
        return box + (box > 0 and token in self.numbers)

    def inside_box(self, box: int, newest: int) -> tuple[int, ...]:
        """What comes after the newest token inside a box, as far as it is fixed."""
        if newest not in self.numbers:
            return ()
        return self.separator if (box - 1) % 4 else self.box_close


class DraftLookup:
    """The references of one page and its output so far."""

    def __init__(
        self,
        references: Iterable[Sequence[int]] = (),
        *,
        grammar: Grammar | None = None,
        longest: int = LONGEST,
        shortest: int = SHORTEST,
    ) -> None:
        """`references`: token ids; the same text may be given in several spellings."""
        self._grammar = grammar or Grammar()
        self._sizes = range(longest, shortest - 1, -1)
        self._known = _Index(self._sizes)
        for reference in references:
            for token in (*reference, END):
                self._known.push(token)
        self._output = _Index(self._sizes)
        self._next: int | None = None
        """The place in the references that is expected to be written next."""
        self._box = 0

    def push(self, token: int) -> None:
        """Appends a token that was written."""
        self._output.push(token)
        known = self._known.tokens
        if self._next is not None and self._next < len(known) and known[self._next] == token:
            self._next += 1
        self._box = self._grammar.box_after(self._box, token)

    def propose(self, most: int) -> list[int]:
        """At most `most` tokens that may come next; empty where nothing is known."""
        tokens = self._output.tokens
        fixed = self._grammar.follows.get(tokens[-1], ()) if tokens else ()
        if self._box and not fixed:
            fixed = self._grammar.inside_box(self._box, tokens[-1])
        if fixed or self._box or most <= 0:
            return list(fixed[: max(0, most)])
        return self._from_references(most) or self._from_output(most)

    def _from_references(self, most: int) -> list[int]:
        place = self._matching_place()
        if place is None and self._next is not None and self._begins_text():
            place = self._next
        if place is None:
            return []
        self._next = place
        draft = self._known.tokens[place : place + most]
        return draft[: draft.index(END)] if END in draft else draft

    def _matching_place(self) -> int | None:
        """The first match after the last place used, else the first one of all."""
        for size in self._sizes:
            positions = self._known.positions(self._output.tokens[-size:])
            if positions:
                first = self._next or 0
                return next((place for place in positions if place >= first), positions[0])
        return None

    def _begins_text(self) -> bool:
        return self._output.tokens[-1] in self._grammar.starts

    def _from_output(self, most: int) -> list[int]:
        tokens = self._output.tokens
        for size in self._sizes:
            positions = self._output.positions(tokens[-size:])
            earlier = [place for place in positions[-2:] if place < len(tokens)]
            if earlier:
                return tokens[earlier[-1] : earlier[-1] + most]
        return []


class _Index:
    """Tokens, and where each run of a few of them ends."""

    def __init__(self, sizes: Iterable[int]) -> None:
        self.tokens: list[int] = []
        self._positions: dict[int, dict[tuple[int, ...], list[int]]] = {size: {} for size in sizes}

    def push(self, token: int) -> None:
        self.tokens.append(token)
        end = len(self.tokens)
        for size, positions in self._positions.items():
            if end >= size:
                positions.setdefault(tuple(self.tokens[end - size :]), []).append(end)

    def positions(self, tokens: Sequence[int]) -> Sequence[int]:
        """The positions after these tokens, in order; none for fewer tokens than a match has."""
        found = self._positions.get(len(tokens))
        return found.get(tuple(tokens), ()) if found is not None else ()
