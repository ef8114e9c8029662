"""Passes that a page needs when drafts are looked up and only right tokens are kept."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.drafts.pages import Block, TruePage
from dsocr.runtime.text.draft_lookup import DraftLookup, Grammar
from dsocr.runtime.text.drafter import Drafter, spellings
from dsocr.runtime.text.tokenizer import Tokenizer

PROBE_MS = {4: 9.57, 8: 11.6, 16: 16.6, 32: 27.1}
"""One pass of 256 pages with drafts of so many tokens, by the probe on an H200; 6.84 ms without."""
STEP_MS = 6.844
OTHER_MS = 12.2
"""Of a gundam page beside its decode steps: 29.8 pages/s at 800 tokens and that step."""


@dataclass(slots=True)
class Count:
    """Of one or more pages."""

    tokens: int = 0
    passes: int = 0
    drafted: int = 0
    empty: int = 0
    """Passes with nothing to draft."""

    def add(self, other: Count) -> None:
        self.tokens += other.tokens
        self.passes += other.passes
        self.drafted += other.drafted
        self.empty += other.empty

    @property
    def tokens_a_pass(self) -> float:
        return self.tokens / max(1, self.passes)

    def pages_a_second(self, k: int, tokens: int = 800) -> float:
        """What the probe's table gives for gundam pages of so many tokens, 256 in flight."""
        return 1000 / (OTHER_MS + tokens / self.tokens_a_pass * PROBE_MS[k] / 256)


def count_passes(lookup: DraftLookup, target: Sequence[int], k: int) -> Count:
    """Each pass keeps the right beginning of its draft and the model's own next token."""
    count, place = Count(tokens=len(target)), 0
    while place < len(target):
        draft = lookup.propose(min(k, len(target) - place - 1))
        right = 0
        while right < len(draft) and draft[right] == target[place + right]:
            right += 1
        for token in target[place : place + right + 1]:
            lookup.push(token)
        place += right + 1
        count.passes += 1
        count.drafted += len(draft)
        count.empty += not draft
    return count


def count_drafter(drafter: Drafter, target: Sequence[int]) -> Count:
    """The same for drafts whose length follows what was accepted."""
    count, place = Count(tokens=len(target)), 0
    while place < len(target):
        draft = drafter.propose(target[:place], len(target) - place - 1)
        right = 0
        while right < len(draft) and draft[right] == target[place + right]:
            right += 1
        if draft:
            drafter.record(len(draft), right)
        place += right + 1
        count.passes += 1
        count.drafted += len(draft)
        count.empty += not draft
    return count


def written(blocks: Sequence[Block], *, boxes: bool, seed: int = 0) -> str:
    """The page as the model writes it; the boxes' numbers are random, so none is guessed."""
    if not boxes:
        return "\n\n".join(block.text for block in blocks)
    dice = random.Random(seed)
    parts = []
    for block in blocks:
        box = ", ".join(str(dice.randrange(1000)) for _ in range(4))
        parts.append(f"<|ref|>{block.label}<|/ref|><|det|>[[{box}]]<|/det|>\n{block.text}\n")
    return "\n".join(parts)


def with_errors(lines: Sequence[str], share: float, dice: random.Random) -> list[str]:
    """The layer of a scan: so many of its characters are others."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return [
        "".join(dice.choice(letters) if dice.random() < share else one for one in line)
        for line in lines
    ]


def page_count(
    page: TruePage,
    layer: Sequence[str],
    tokenizer: Tokenizer,
    grammar: Grammar,
    *,
    k: int,
    longest: int = 3,
    boxes: bool = True,
) -> Count:
    references = [tokenizer.encode_once(text) for text in spellings(layer)]
    lookup = DraftLookup(references, grammar=grammar, longest=longest)
    return count_passes(lookup, tokenizer.encode(written(page.blocks, boxes=boxes)), k)
