"""Whether a word's score is the probability that it is right, on degraded pages.

python -m bench.calibration [--pages 90] [--held-out] [--fit] [--folder FOLDER] [--svg FILE]

Pages 0 to 999 are for tuning: `--fit` prints the weights of `review/score.py` from them. Pages from
1000 are never tuned on. `--folder` measures the pages of a folder with a manifest, as
`bench.accuracy` does, by their words in any order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidfuzz.distance import Levenshtein

from bench import scoring
from bench.accuracy import PROMPT
from bench.degraded_pages import degraded_page
from bench.pages.files import first_page
from dsocr.engines.base import Engine
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.ppocr.geometry import mean_score
from dsocr.engines.ppocr.lines.recognition import DETAILS
from dsocr.engines.ppocr.recognizer import PageRecognizer
from dsocr.engines.ppocr.review import page as page_review
from dsocr.engines.ppocr.review import score
from dsocr.engines.ppocr.review.second_look import folded, looks_again
from dsocr.engines.ppocr.review.words import words_of
from dsocr.engines.registry import create
from dsocr.pages.config import PagesConfig
from dsocr.pages.sandbox import Sandbox
from dsocr.types import OcrOptions, PageImage, TextLine

OPTIONS = OcrOptions("markdown", "gundam", PROMPT)
HELD_OUT = 1000
BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
_RIDGE = 1.0
_STEPS = 40


class Word(NamedTuple):
    """A recognized word."""

    kind: str
    score: float
    right: bool


class Example(NamedTuple):
    """A word to fit: its measures with the agreement of a second look at the end."""

    values: list[float]
    line: tuple[int, int]
    """The page and the number of its line."""
    right: bool


def auroc(scores: Sequence[float], right: Sequence[bool]) -> float:
    """The probability that a right word has a higher score than a wrong one; ties count half."""
    values, labels = np.array(scores), np.array(right, bool)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    good, bad = int(labels.sum()), int((~labels).sum())
    if not good or not bad:
        return float("nan")
    return float((ranks[labels].sum() - good * (good + 1) / 2) / (good * bad))


def right_words(read: Sequence[str], printed: Sequence[str]) -> list[bool]:
    """Which of the words are printed, in their order."""
    right = [False] * len(read)
    for block in Levenshtein.opcodes(read, printed).as_matching_blocks():
        right[block.a : block.a + block.size] = [True] * block.size
    return right


def plain_words(text: str) -> list[str]:
    return [folded(scoring.plain(word)) for word in text.split()]


def examples_of(recognizer: PageRecognizer, number: int) -> Iterator[Example]:
    """The words of a degraded page, each line recognized twice."""
    page = degraded_page(number)
    picture = np.repeat(page.picture[:, :, None], 3, axis=2)
    found = recognizer._lines.recognize(picture, DETAILS["gundam"], _ignore)
    lines, mean = found.lines, mean_score(found.lines) or 0.0
    looks = looks_again(recognizer._ocr, found.view.image, lines, _ignore)
    signs = [words_of(line) for line in lines]
    texts = [line.text.strip() for line in lines]
    read = [
        folded(scoring.plain(text[sign.start : sign.end]))
        for text, own in zip(texts, signs, strict=True)
        for sign in own
    ]
    right = iter(right_words(read, plain_words(page.text)))
    for index, (text, own, look) in enumerate(zip(texts, signs, looks, strict=True)):
        for sign in own:
            agrees = folded(text[sign.start : sign.end]) in look
            values = [*score.measures(sign, mean), float(agrees)]
            yield Example(values, (number, index), next(right))


def _ignore() -> None:
    """Nothing is to be polled."""


def fitted(values: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights of a logistic function, by Newton's method with a small ridge."""
    weights = np.zeros(values.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-values @ weights))
        slope = values.T @ (right - chance) - _RIDGE * weights
        curve = (values * (chance * (1 - chance))[:, None]).T @ values
        weights += np.linalg.solve(curve + _RIDGE * np.eye(len(weights)), slope)
    return weights


def print_fit(examples: Sequence[Example]) -> None:
    """The weights of `review/score.py`; those for a second look from lines that get one."""
    values = np.array([example.values for example in examples])
    right = np.array([example.right for example in examples], float)
    once = fitted(values[:, :-1], right)
    low = 1 / (1 + np.exp(-values[:, :-1] @ once)) < page_review.DOUBTFUL
    lines = {example.line for example, is_low in zip(examples, low, strict=True) if is_low}
    again = np.array([example.line in lines for example in examples])
    for name, weights in (("ONCE", once), ("TWICE", fitted(values[again], right[again]))):
        print(f"{name} = ({', '.join(f'{weight:.3f}' for weight in weights)})")


async def words_of_pages(engine: Engine, numbers: Sequence[int]) -> list[Word]:
    """The words of degraded pages as the engine answers them."""
    found = []
    for number in numbers:
        page = degraded_page(number)
        result = await engine.recognize(page_image(page.picture), OPTIONS)
        read = [
            (folded(scoring.plain(line.text[start:end])), chance)
            for line in result.lines
            for start, end, chance in line.words
        ]
        right = right_words([text for text, _ in read], plain_words(page.text))
        found += [Word(page.kind, chance, ok) for (_, chance), ok in zip(read, right, strict=True)]
    return found


async def words_of_folder(engine: Engine, folder: Path) -> list[Word]:
    """The words of a folder's pages; right is what the truth has, in any order."""
    sandbox, found = Sandbox(PagesConfig()), []
    try:
        for line in (folder / "manifest.jsonl").read_text().splitlines():
            entry = json.loads(line)
            if entry.get("gt"):
                page = await first_page(folder / entry["file"], sandbox)
                result = await engine.recognize(page, OPTIONS)
                found += _in_any_order(entry, (folder / entry["gt"]).read_text(), result.lines)
    finally:
        await sandbox.close()
    return found


def _in_any_order(entry: dict[str, Any], truth: str, lines: Sequence[TextLine]) -> list[Word]:
    left: Counter[str] = scoring.words(truth)
    found = []
    for line in lines:
        for start, end, chance in line.words:
            own = scoring.words(line.text[start:end])
            if own:
                found.append(Word(entry.get("group", ""), chance, own <= left))
                left -= own
    return found


def page_image(picture: NDArray[np.uint8]) -> PageImage:
    image = Image.fromarray(picture).convert("RGB")
    return PageImage(0, image, image.width, image.height)


def table_of(words: Sequence[Word]) -> list[tuple[float, float, int, float, float]]:
    """Of each range of scores: its ends, its words, their mean score, the share that is right."""
    rows = []
    for low, high in pairwise(BINS):
        own = [word for word in words if low <= word.score < high or word.score == high == 1.0]
        if own:
            scores, right = [word.score for word in own], [word.right for word in own]
            rows.append((low, high, len(own), float(np.mean(scores)), float(np.mean(right))))
    return rows


def print_report(words: Sequence[Word]) -> None:
    scores, right = [word.score for word in words], [word.right for word in words]
    rows = table_of(words)
    error = sum(count * abs(mean - share) for _, _, count, mean, share in rows) / len(words)
    print(
        f"{len(words)} words, {np.mean(right):.3f} right, AUROC {auroc(scores, right):.3f}, ",
        end="",
    )
    print(f"mean distance of score and share {error:.3f}")
    print("| score | words | mean score | right |\n| --- | --- | --- | --- |")
    for low, high, count, mean, share in rows:
        print(f"| {low:.2f} to {high:.2f} | {count} | {mean:.3f} | {share:.3f} |")
    silent = [word for word in words if not word.right and word.score >= page_review.REVIEW_WORD]
    print(f"wrong words not to be reviewed: {len(silent)} of {len(words) - sum(right)}")
    for kind in sorted({word.kind for word in words}):
        own = [word for word in words if word.kind == kind]
        share = float(np.mean([word.right for word in own]))
        area = auroc([word.score for word in own], [word.right for word in own])
        print(f"  {kind:10} {len(own):5} words, {share:.3f} right, AUROC {area:.3f}")


def diagram(words: Sequence[Word]) -> str:
    """The reliability diagram as SVG: the share of right words over the mean score."""
    side, edge = 320, 40
    dots = "".join(
        f'<circle cx="{edge + mean * side:.1f}" cy="{edge + (1 - share) * side:.1f}" '
        f'r="{2 + 2 * math.log10(count):.1f}" fill="#2563eb"/>'
        for _, _, count, mean, share in table_of(words)
    )
    full = side + 2 * edge
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full} {full}" font-size="12" '
        f'font-family="sans-serif"><rect width="{full}" height="{full}" fill="#fff"/>'
        f'<rect x="{edge}" y="{edge}" width="{side}" height="{side}" fill="none" stroke="#888"/>'
        f'<path d="M{edge} {edge + side}L{edge + side} {edge}" stroke="#bbb"/>{dots}'
        f'<text x="{full / 2}" y="{full - 12}" text-anchor="middle">score, 0 to 1</text>'
        f'<text x="14" y="{full / 2}" text-anchor="middle" transform="rotate(-90 14 {full / 2})">'
        "share of right words, 0 to 1</text></svg>\n"
    )


async def measure(arguments: argparse.Namespace) -> None:
    engine = create("ppocr", PpocrConfig())
    await engine.start()
    try:
        if arguments.folder:
            words = await words_of_folder(engine, arguments.folder)
        else:
            first = HELD_OUT if arguments.held_out else 0
            words = await words_of_pages(engine, range(first, first + arguments.pages))
    finally:
        await engine.close()
    print_report(words)
    if arguments.svg:
        arguments.svg.write_text(diagram(words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=90)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--svg", type=Path)
    arguments = parser.parse_args()
    if arguments.fit:
        recognizer = PageRecognizer(2)
        print_fit([e for n in range(arguments.pages) for e in examples_of(recognizer, n)])
    else:
        asyncio.run(measure(arguments))


if __name__ == "__main__":
    main()
