"""Generated token sequences that fall into a loop: the repetition check must flag them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle

from bench.texts.normal import KINDS, normal_text, sentence, word, words
from dsocr.runtime.text.ngram import NoRepeatIndex
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.types import NoRepeat

LENGTH = 900
"""Tokens of a loop after its first copy, at least."""

Pieces = Iterator[str]
"""What is repeated; the first piece is the first copy."""


@dataclass(frozen=True, slots=True)
class Planted:
    """`tokens` are a normal page up to `start`, where the second copy begins."""

    tokens: list[int]
    start: int


def _row(dice: random.Random, cells: int) -> str:
    return "<tr>" + "".join(f"<td>{words(dice, 1)}</td>" for _ in range(cells)) + "</tr>"


def one_word(dice: random.Random) -> Pieces:
    return cycle([" " + word(dice)])


def one_character(dice: random.Random) -> Pieces:
    return cycle([dice.choice([" .", "的", " -", "0 ", "! ", "、"])])


def blanks(dice: random.Random) -> Pieces:
    return cycle([dice.choice(["\n \n", "\u3000a ", "&nbsp; ", "\n- ", "<br>"])])


def empty_cells(dice: random.Random) -> Pieces:
    return cycle(["<td></td>"])


def empty_rows(dice: random.Random) -> Pieces:
    return cycle(["<tr>" + "<td></td>" * dice.randint(1, 12) + "</tr>"])


def phrase(dice: random.Random) -> Pieces:
    return cycle([words(dice, dice.randint(2, 6)) + ", "])


def line(dice: random.Random) -> Pieces:
    return cycle([words(dice, dice.randint(6, 20)) + "\n"])


def paragraph(dice: random.Random) -> Pieces:
    return cycle(["".join(sentence(dice) for _ in range(dice.randint(3, 8))) + "\n\n"])


def row(dice: random.Random) -> Pieces:
    return cycle([_row(dice, dice.randint(2, 8))])


def line_with_variants(dice: random.Random) -> Pieces:
    start, end = words(dice, dice.randint(3, 6)), words(dice, dice.randint(2, 5))
    variants = [word(dice) for _ in range(dice.randint(2, 3))]
    while True:
        yield f"{start} {dice.choice(variants)} {end}\n"


def row_with_variants(dice: random.Random) -> Pieces:
    row, variants = _row(dice, dice.randint(2, 4)), [word(dice) for _ in range(2)]
    while True:
        yield row.replace("</tr>", f"<td>{dice.choice(variants)}</td></tr>")


def counting(dice: random.Random) -> Pieces:
    form = dice.choice(["{}. ", "{}, ", "({}) ", "{}\n", "{}.\n", "第{}条\n", "[{}] "])
    return (form.format(number) for number in count(dice.choice([1, 1, 1, 7, 97, 995])))


def counting_items(dice: random.Random) -> Pieces:
    start, end = dice.choice(["{}. ", "No. {} ", ""]), dice.choice([", ", "\n"])
    form = start + word(dice) + " {}" + end
    return (form.format(number, number) for number in count(dice.randint(1, 30)))


def counting_cells(dice: random.Random) -> Pieces:
    return (f"<td>{number}</td>" for number in count(1, dice.choice([1, 1, 2, 10])))


def counting_rows(dice: random.Random) -> Pieces:
    return (f"<tr><td>{number}</td></tr>" for number in count(1))


def counting_years(dice: random.Random) -> Pieces:
    return (f"{number}–{number + 1}\n" for number in count(1950))


def same_line_lower_down(dice: random.Random) -> Pieces:
    text, step = words(dice, dice.randint(1, 3)), dice.randint(8, 20)
    for top in count(100, step):
        box = f"[[80, {top}, 400, {top + 9}]]"
        yield f"<|ref|>text<|/ref|><|det|>{box}<|/det|>\n{text}\n\n"


def same_block(dice: random.Random) -> Pieces:
    box = ", ".join(str(dice.randint(0, 999)) for _ in range(4))
    return cycle([f"<|ref|>text<|/ref|><|det|>[[{box}]]<|/det|>\n{sentence(dice)}\n\n"])


def math(dice: random.Random) -> Pieces:
    return cycle([f"\\mathrm{{{word(dice)}}} _ {{{dice.choice('abc')}}} "])


KINDS_OF_LOOP: dict[str, Callable[[random.Random], Pieces]] = {
    make.__name__: make
    for make in (
        one_word, one_character, blanks, empty_cells, empty_rows, phrase, line, paragraph, row,
        line_with_variants, row_with_variants, counting, counting_items, counting_cells,
        counting_rows, counting_years, same_line_lower_down, same_block, math,
    )
}  # fmt: skip
WITH_NO_REPEAT = ("one_word", "phrase", "line", "row", "math")
"""These are also generated with the no-repeat rule, which breaks the loop repeatedly."""
LATE = "wide_numbered_rows"
"""Not reported on purpose: a month sheet looks the same for 31 rows."""


def loops(tokenizer: Tokenizer, seeds: range) -> Iterator[tuple[str, Planted]]:
    """One of every kind for each seed, at random places of normal pages. Deterministic."""
    for kind in KINDS_OF_LOOP:
        for seed in seeds:
            yield kind, planted(tokenizer, kind, seed)
    for kind in WITH_NO_REPEAT:
        for seed in seeds:
            yield f"{kind}, no-repeat", planted(tokenizer, kind, seed, no_repeat=NoRepeat(30, 90))
    for seed in seeds:
        yield "end_of_page", end_of_page(tokenizer, seed)


def planted(
    tokenizer: Tokenizer, kind: str, seed: int, *, no_repeat: NoRepeat | None = None
) -> Planted:
    dice = random.Random(f"{kind} {seed}")
    tokens = _beginning(tokenizer, dice)
    pieces = KINDS_OF_LOOP[kind](dice)
    tokens += tokenizer.encode(next(pieces))
    wanted = _tokens(tokenizer, pieces)
    if no_repeat is not None:
        wanted = _with_no_repeat(wanted, no_repeat, tokenizer, dice)
    return Planted([*tokens, *wanted], len(tokens))


def wide_numbered_rows(tokenizer: Tokenizer, seed: int) -> Planted:
    dice = random.Random(f"{LATE} {seed}")
    tokens, cells = _beginning(tokenizer, dice), "<td></td>" * dice.randint(4, 7)
    pieces = (f"<tr><td>{number}</td>{cells}</tr>" for number in count(1))
    tokens += tokenizer.encode(next(pieces))
    return Planted([*tokens, *_tokens(tokenizer, pieces)], len(tokens))


def end_of_page(tokenizer: Tokenizer, seed: int) -> Planted:
    """The last 20 to 300 tokens of a normal page, repeated."""
    dice = random.Random(f"end {seed}")
    tokens = _beginning(tokenizer, dice)
    period = min(len(tokens), dice.randint(20, 300))
    again = tokens[-period:] * (LENGTH // period + 1)
    return Planted(tokens + again, len(tokens))


def _beginning(tokenizer: Tokenizer, dice: random.Random) -> list[int]:
    kind = dice.choice([kind for kind in KINDS if kind != "printed_twice"])
    page = tokenizer.encode(normal_text(kind, dice.randint(10_000, 99_999)))
    return page[: dice.randint(20, min(len(page), 1500))] + tokenizer.encode("\n\n")


def _tokens(tokenizer: Tokenizer, pieces: Pieces) -> list[int]:
    tokens: list[int] = []
    while len(tokens) < LENGTH:
        tokens += tokenizer.encode(next(pieces))
    return tokens


def _with_no_repeat(
    wanted: list[int], no_repeat: NoRepeat, tokenizer: Tokenizer, dice: random.Random
) -> list[int]:
    """The loop under the no-repeat rule: a random token replaces each banned one."""
    index = NoRepeatIndex(no_repeat, exempt=tokenizer.special.cells)
    written = []
    for token in wanted:
        if token in index.banned():
            token = dice.choice(tokenizer.encode(" " + words(dice, 2)))
        index.push(token)
        written.append(token)
    return written
