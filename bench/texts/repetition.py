"""Measures the repetition check: delay on planted loops, false alarms on normal pages.

    python -m bench.texts.repetition CHECKPOINT [--each 50] [--first-seed 0]

CHECKPOINT is a folder with the model's tokenizer.json; tests/data/goldens/checkpoint-files has it
compressed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.texts.loops import LATE, Planted, loops, wide_numbered_rows
from bench.texts.normal import KINDS, normal_text
from dsocr.runtime.text.repetition import (
    BLOCK,
    EXACT,
    MAX_UNCHANGED,
    MOST_NEW,
    NEAR,
    REACH,
    RECENT,
    TEMPLATE,
    WINDOW,
    RepetitionDetector,
    TokenKinds,
    token_kinds,
)
from dsocr.runtime.text.tokenizer import Tokenizer

LIMIT = 400
DATA = Path(__file__).parents[2] / "tests" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--each", type=int, default=50, help="pages and loops of every kind")
    parser.add_argument("--first-seed", type=int, default=0, help="other seeds, other pages")
    arguments = parser.parse_args()
    tokenizer = Tokenizer(arguments.checkpoint)
    kinds = token_kinds(tokenizer)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.each)
    _report_normal_pages(kinds, tokenizer, seeds)
    _report_loops(kinds, tokenizer, seeds)


def alarm(kinds: TokenKinds, tokens: Iterable[int]) -> tuple[int, int] | None:
    """Tokens written when the check flagged the page, and how many it keeps; None if it did not."""
    detector = RepetitionDetector(kinds)
    for place, token in enumerate(tokens, 1):
        keep = detector.push(token)
        if keep is not None:
            return place, keep
    return None


def suspects(kinds: TokenKinds, tokens: Sequence[int]) -> Iterator[bool]:
    """For each token, whether the device would flag the page (`kernels/repetition_flags`).
    Computed in another way, with an index instead of comparisons."""
    exact, near, template = _Last(EXACT), _Last(NEAR), _Last(TEMPLATE)
    exact_at = template_at = 0
    news: deque[bool] = deque(maxlen=WINDOW)
    in_number = False
    for written, token in enumerate(tokens, 1):
        if exact.ago(token) > REACH:
            exact_at = written
        news.append(near.ago(token) > RECENT)
        is_digit = token in kinds.digits
        if not (is_digit and in_number) and template.ago(0 if is_digit else token) > REACH:
            template_at = written
        in_number = is_digit
        silent = written - min(exact_at, template_at) >= MAX_UNCHANGED
        yield written % BLOCK == 0 and (silent or (len(news) == WINDOW and sum(news) <= MOST_NEW))


class _Last:
    """Last positions of the n-grams of a sequence."""

    def __init__(self, size: int) -> None:
        self._newest = (0,) * size
        self._places: dict[tuple[int, ...], int] = {}
        self._count = 0

    def ago(self, symbol: int) -> float:
        """Appends a symbol; returns the distance to the last n-gram equal to the one it ends."""
        self._newest = (*self._newest[1:], symbol)
        before = self._places.get(self._newest, float("-inf"))
        self._count += 1
        self._places[self._newest] = self._count
        return self._count - before


def real_texts() -> Iterator[tuple[str, str]]:
    """Outputs of the model and texts of real pages."""
    grammar = json.loads((DATA / "grammar.json").read_text("utf-8"))
    for case in grammar["cases"]:
        yield case["name"], case["raw"]
    for path in sorted((DATA / "texts").iterdir()):
        if path.name != "README.md":
            yield path.name, path.read_text("utf-8")


def _report_normal_pages(kinds: TokenKinds, tokenizer: Tokenizer, seeds: range) -> None:
    texts = list(real_texts())
    texts += [(kind, normal_text(kind, seed)) for kind in KINDS for seed in seeds]
    pages = [(name, tokenizer.encode(text)) for name, text in texts]
    seconds = float("inf")
    for _ in range(3):  # the machine may be busy: the best of three is the check's own cost
        began = time.process_time()
        alarms = [(name, found) for name, tokens in pages if (found := alarm(kinds, tokens))]
        seconds = min(seconds, time.process_time() - began)
    count = sum(len(tokens) for _, tokens in pages)
    longest = max(len(tokens) for _, tokens in pages)
    print(f"normal pages: {len(pages)}, {count} tokens, the longest {longest}")
    print(f"false alarms: {len(alarms)}")
    for name, (place, keep) in alarms:
        print(f"  {name}: at {place}, keeping {keep}")
    print(f"cost: {seconds / count * 1e6:.2f} µs a token")
    flagged = sum(any(suspects(kinds, tokens)) for _, tokens in pages)
    print(f"pages that the device would flag: {flagged}")


def _report_loops(kinds: TokenKinds, tokenizer: Tokenizer, seeds: range) -> None:
    delays: dict[str, list[int]] = defaultdict(list)
    cuts: dict[str, list[int]] = defaultdict(list)
    for kind, one in loops(tokenizer, seeds):
        _note(kinds, one, delays[kind], cuts[kind])
    print("\n| loop | found | median delay | longest | cut, from the second copy |")
    print("| --- | --- | --- | --- | --- |")
    for kind in delays:
        _report(kind, delays[kind], cuts[kind])
    _report("all", sum(delays.values(), []), sum(cuts.values(), []))
    late: tuple[list[int], list[int]] = ([], [])
    for seed in seeds:
        _note(kinds, wide_numbered_rows(tokenizer, seed), *late)
    _report(f"({LATE})", *late)


def _note(kinds: TokenKinds, one: Planted, delays: list[int], cuts: list[int]) -> None:
    found = alarm(kinds, one.tokens)
    early = found is not None and found[0] < one.start
    delays.append(10_000 if found is None or early else found[0] - one.start)
    if found is not None:
        cuts.append(found[1] - one.start)


def _report(kind: str, delays: list[int], cuts: list[int]) -> None:
    found = sum(delay <= LIMIT for delay in delays)
    middle = statistics.median(cuts) if cuts else 0
    print(
        f"| {kind.replace('_', ' ')} | {found} of {len(delays)} ({found / len(delays):.1%}) "
        f"| {statistics.median(delays):.0f} | {max(delays)} "
        f"| {min(cuts, default=0)} … {middle:.0f} … {max(cuts, default=0)} |"
    )


if __name__ == "__main__":
    main()
