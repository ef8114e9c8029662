"""Accepted tokens a pass, by kind of page: what drafts can bring, without a model.

    python -m bench.drafts CHECKPOINT [--samples FOLDER] [--each 6] [--seed 0]

CHECKPOINT is a folder with the model's tokenizer.json. The true text stands for what the model
writes; drafts come from the page's own text layer and from what was written.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.drafts.acceptance import (
    PROBE_MS,
    Count,
    count_drafter,
    page_count,
    with_errors,
    written,
)
from bench.drafts.pages import TruePage, own_pages, sample_pages
from dsocr.runtime.text.draft_lookup import Grammar
from dsocr.runtime.text.drafter import Drafting, output_grammar
from dsocr.runtime.text.tokenizer import Tokenizer

LENGTHS = tuple(PROBE_MS)
Layer = Callable[[TruePage], Sequence[str]]


class Bench:
    def __init__(self, tokenizer: Tokenizer, pages: Sequence[TruePage]) -> None:
        self._tokenizer, self._pages = tokenizer, pages
        self._grammar = output_grammar(tokenizer)

    def total(self, pages: Iterable[TruePage], layer: Layer, **how: int | bool) -> Count:
        whole = Count()
        for page in pages:
            grammar: Grammar = self._grammar
            whole.add(page_count(page, layer(page), self._tokenizer, grammar, **how))  # type: ignore[arg-type]
        return whole

    def print_kinds(self) -> None:
        print("| page | tokens | " + " | ".join(f"k={k}" for k in LENGTHS) + " | plain, k=8 |")
        print("| --- " * (len(LENGTHS) + 3) + "|")
        for kind in dict.fromkeys(page.kind for page in self._pages):
            self._print_row(kind, [page for page in self._pages if page.kind == kind])
        self._print_row("all", self._pages)

    def _print_row(self, name: str, pages: Sequence[TruePage]) -> None:
        counts = [self.total(pages, own_layer, k=k) for k in LENGTHS]
        plain = self.total(pages, own_layer, k=8, boxes=False)
        cells = " | ".join(f"{count.tokens_a_pass:.2f}" for count in counts)
        tokens = counts[0].tokens // len(pages)
        print(f"| {name} | {tokens} | {cells} | {plain.tokens_a_pass:.2f} |")

    def print_layers(self) -> None:
        """The same pages with other layers, k = 8."""
        print("\n| layer | tokens a pass | drafted a pass | passes without a draft |")
        print("| --- | --- | --- | --- |")
        others = {id(page): other for page, other in zip(self._pages, self._rotated(), strict=True)}
        layers: dict[str, Layer] = {
            "its own": own_layer,
            "its own, 2 % of the characters wrong": lambda page: errors(page, 0.02),
            "its own, 10 % of the characters wrong": lambda page: errors(page, 0.1),
            "of another page": lambda page: others[id(page)].lines,
            "none: what was written alone": lambda page: (),
        }
        for name, layer in layers.items():
            count = self.total(self._pages, layer, k=8)
            drafted = count.drafted / count.passes
            empty = f"{count.empty / count.passes:.0%}"
            print(f"| {name} | {count.tokens_a_pass:.2f} | {drafted:.1f} | {empty} |")

    def _rotated(self) -> list[TruePage]:
        """Each page's neighbour of another kind."""
        half = len(self._pages) // 2
        return [*self._pages[half:], *self._pages[:half]]

    def print_matches(self) -> None:
        """By the longest match that is looked for, k = 8."""
        counts = {n: self.total(self._pages, own_layer, k=8, longest=n) for n in (2, 3, 4)}
        cells = ", ".join(f"n = {n}: {one.tokens_a_pass:.2f}" for n, one in counts.items())
        print(f"\nBy the longest match: {cells}")

    def print_engine(self) -> None:
        """With the engine's own rule for the length of a draft."""
        drafting = Drafting(self._tokenizer)
        for name, boxes in (("with boxes", True), ("without", False)):
            whole = Count()
            for page in self._pages:
                text = self._tokenizer.encode_once(written(page.blocks, boxes=boxes))
                whole.add(count_drafter(drafting.drafter(page.lines), text))
            drafted = whole.drafted / whole.passes
            print(f"As the engine drafts, {name}: {whole.tokens_a_pass:.2f}, {drafted:.2f} drafted")

    def print_speed(self) -> None:
        print("\n| k | tokens a pass | gundam pages/s by the probe, 256 in flight |")
        print("| --- | --- | --- |")
        for k in LENGTHS:
            count = self.total(self._pages, own_layer, k=k)
            print(f"| {k} | {count.tokens_a_pass:.2f} | {count.pages_a_second(k):.1f} |")


def own_layer(page: TruePage) -> Sequence[str]:
    return page.lines


def errors(page: TruePage, share: float) -> Sequence[str]:
    return with_errors(page.lines, share, random.Random(0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--samples", type=Path, help="a folder with manifest.jsonl and truths")
    parser.add_argument("--each", type=int, default=6, help="own pages of every kind")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    pages = list(own_pages(arguments.each, arguments.seed))
    if arguments.samples is not None:
        pages += sample_pages(arguments.samples)
    bench = Bench(Tokenizer(arguments.checkpoint), pages)
    bench.print_kinds()
    bench.print_layers()
    bench.print_matches()
    bench.print_engine()
    bench.print_speed()


if __name__ == "__main__":
    main()
