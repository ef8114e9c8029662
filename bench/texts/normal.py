"""Generated texts with legitimate repetition: the repetition check must not flag them."""

from __future__ import annotations

import random
from collections.abc import Callable

Make = Callable[[random.Random], str]

_CONSONANTS, _VOWELS = "bcdfghklmnprstvw", "aeiou"
_HAN = "北岸大桥工程报告年度收入支出人民币元项目单位合计数量价格日期说明增加减少管理费用"


def word(dice: random.Random) -> str:
    syllables = dice.randint(1, 3)
    return "".join(dice.choice(_CONSONANTS) + dice.choice(_VOWELS) for _ in range(syllables)) + (
        dice.choice(["", "n", "r", "s"])
    )


def words(dice: random.Random, count: int) -> str:
    return " ".join(word(dice) for _ in range(count))


def sentence(dice: random.Random) -> str:
    return words(dice, dice.randint(5, 16)).capitalize() + ". "


def prose(dice: random.Random) -> str:
    paragraphs = dice.randint(2, 6)
    return "\n\n".join(
        "".join(sentence(dice) for _ in range(dice.randint(3, 7))) for _ in range(paragraphs)
    )


def table(rows: list[list[str]]) -> str:
    lines = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def mostly_empty_table(dice: random.Random) -> str:
    columns, share = dice.randint(4, 14), dice.uniform(0.0, 0.2)
    return table(
        [
            [words(dice, dice.randint(1, 4))]
            + [str(dice.randint(1, 999)) if dice.random() < share else "" for _ in range(columns)]
            for _ in range(dice.randint(20, 70))
        ]
    )


def blank_table(dice: random.Random) -> str:
    """Rows to be filled in by hand, as many as fit a page."""
    columns = dice.randint(2, 9)
    rows = min(30, 340 // (2 * columns + 3))
    return table([[word(dice) for _ in range(columns)]] + [[""] * columns] * rows)


def same_values(dice: random.Random) -> str:
    value, columns = dice.choice(["0.00", "–", "n/a", "0", "100%", "Yes"]), dice.randint(3, 14)
    return table(
        [[words(dice, dice.randint(1, 3)), *[value] * columns] for _ in range(dice.randint(15, 60))]
    )


def invoice_rows(dice: random.Random) -> str:
    """Three hundred rows that begin the same and differ in their numbers."""
    start = f"2024-03-{dice.randint(1, 28):02d} {words(dice, dice.randint(2, 8))}"
    return table(
        [
            [start, "1", f"{dice.randint(1, 9999)}.{dice.randint(0, 99):02d}", "EUR"]
            for _ in range(300)
        ]
    )


def numbered_invoice(dice: random.Random) -> str:
    item = words(dice, dice.randint(1, 3))
    return table(
        [
            [str(number), item, str(dice.randint(1, 9)), f"{dice.randint(100, 99999) / 100:.2f}"]
            for number in range(1, dice.randint(60, 300))
        ]
    )


def multiplication_table(dice: random.Random) -> str:
    size = dice.randint(9, 20)
    return table([[str(a * b) for b in range(1, size + 1)] for a in range(1, size + 1)])


def hundred_chart(dice: random.Random) -> str:
    width = dice.choice([5, 10])
    return table([[str(row + one) for one in range(width)] for row in range(1, 101, width)])


def year_calendar(dice: random.Random) -> str:
    months = []
    for _ in range(12):
        first, length = dice.randint(0, 6), dice.choice([28, 30, 31])
        days = [""] * first + [str(day) for day in range(1, length + 1)]
        weeks = [days[at : at + 7] for at in range(0, len(days), 7)]
        months.append(f"## {word(dice)}\n" + table([list("MTWTFSS"), *weeks]))
    return "\n".join(months)


def month_sheet(dice: random.Random) -> str:
    """A time sheet: dated rows, nothing else in them."""
    columns = [""] * dice.randint(2, 4)
    day = dice.choice(["{:02d}.05.2024", "{}", "2024-05-{:02d}", "{}."])
    return table([[day.format(number), *columns] for number in range(1, 32)])


def contents(dice: random.Random) -> str:
    page, lines = 1, []
    for number in range(1, dice.randint(30, 90)):
        page += dice.randint(0, 9)
        leader = dice.choice([". " * 30, "." * 60, " . . . . . . . ."])
        lines.append(
            f"{number}.{dice.randint(1, 9)} {words(dice, dice.randint(2, 6))} {leader} {page}"
        )
    return "\n".join(lines)


def bibliography(dice: random.Random) -> str:
    journal = words(dice, 4)
    return "\n".join(
        f"[{number}] {word(dice).title()}, {dice.choice('ABCDE')}., {words(dice, 7)}. {journal}, "
        f"{dice.randint(1, 60)}:{dice.randint(1, 400)}–{dice.randint(401, 900)}, "
        f"{dice.randint(1980, 2024)}."
        for number in range(1, dice.randint(20, 60))
    )


def poem(dice: random.Random) -> str:
    refrain = "\n".join(words(dice, 6) for _ in range(dice.randint(1, 4)))
    verses = ("\n".join(words(dice, 6) for _ in range(4)) for _ in range(dice.randint(6, 14)))
    return "\n\n".join(f"{verse}\n{refrain}" for verse in verses)


def code(dice: random.Random) -> str:
    names = [word(dice) for _ in range(6)]
    blocks = (
        f"    if (!{one}) {{\n        return -EINVAL;\n    }}\n    {one}->{word(dice)} = "
        f"{dice.choice(names)}({one}, {dice.randint(0, 64)});\n"
        for one in (dice.choice(names) for _ in range(dice.randint(20, 60)))
    )
    return "```c\n" + "".join(blocks) + "```"


def records(dice: random.Random) -> str:
    """A JSON listing."""
    return (
        "[\n"
        + ",\n".join(
            f'  {{"id": {number}, "name": "{word(dice)}", "price": {dice.randint(1, 999)}.50, '
            f'"in_stock": {dice.choice(["true", "false"])}, "currency": "EUR"}}'
            for number in range(1, dice.randint(40, 120))
        )
        + "\n]"
    )


def numbers(dice: random.Random) -> str:
    columns, top = dice.randint(1, 8), dice.choice([9, 99, 9999])
    return table(
        [[str(dice.randint(0, top)) for _ in range(columns)] for _ in range(dice.randint(40, 150))]
    )


def bare_numbers(dice: random.Random) -> str:
    return "\n".join(f"{dice.randint(0, 99999) / 100:.2f}" for _ in range(dice.randint(100, 400)))


def form_lines(dice: random.Random) -> str:
    line = dice.choice(["_" * 40, "." * 60, "_ " * 20, ""])
    head = [f"{words(dice, dice.randint(1, 3)).capitalize()}: {line}" for _ in range(20)]
    return "\n".join(head + [f"{number}. {line}" for number in range(1, dice.randint(10, 40))][:12])


def answer_sheet(dice: random.Random) -> str:
    return "\n".join(f"{number}. A B C D" for number in range(1, dice.randint(20, 39)))


def truth_table(dice: random.Random) -> str:
    size = dice.randint(4, 6)
    return table([[*format(row, f"0{size}b"), str(dice.randint(0, 1))] for row in range(2**size)])


def features(dice: random.Random) -> str:
    marks = dice.choice([("Yes", "No"), ("✓", ""), ("●", "○"), ("X", "–")])
    columns = dice.randint(3, 12)
    return table(
        [
            [words(dice, dice.randint(1, 4)), *(dice.choice(marks) for _ in range(columns))]
            for _ in range(dice.randint(15, 50))
        ]
    )


def marks(dice: random.Random) -> str:
    """A grid of few values and no labels."""
    values = dice.choice([["Yes", "No"], ["✓", ""], ["OK", "OK", "OK", "FAIL"], ["A", "B", "C"]])
    columns = dice.randint(5, 14)
    return table([[dice.choice(values) for _ in range(columns)] for _ in range(30)])


def timetable(dice: random.Random) -> str:
    rows = []
    for stop in range(dice.randint(10, 25)):
        minutes = range(360 + 3 * stop, 360 + 3 * stop + 14 * 10, 10)
        rows.append([words(dice, 2), *(f"{one // 60:02d}:{one % 60:02d}" for one in minutes)])
    return table(rows)


def conversions(dice: random.Random) -> str:
    factor = dice.choice([25.4, 1.609, 4.184, 12])
    return table([[str(one), f"{one * factor:.2f}"] for one in range(1, dice.randint(50, 150))])


def pipes(dice: random.Random) -> str:
    head = "| item | count | unit | note |\n| --- | --- | --- | --- |\n"
    return head + "\n".join(
        f"| {words(dice, 2)} | {dice.randint(1, 99)} | pcs | |" for _ in range(dice.randint(30, 90))
    )


def matrix(dice: random.Random) -> str:
    size = dice.randint(6, 12)
    rows = (" & ".join("1" if a == b else "0" for b in range(size)) for a in range(size))
    return "\\[\\begin{pmatrix}" + " \\\\ ".join(rows) + "\\end{pmatrix}\\]"


def index(dice: random.Random) -> str:
    return "\n".join(
        f"{word(dice)}, {', '.join(str(dice.randint(1, 400)) for _ in range(dice.randint(1, 6)))}"
        for _ in range(dice.randint(60, 150))
    )


def receipt(dice: random.Random) -> str:
    tax = dice.choice(["7 %", "19 %"])
    return "\n".join(
        f"{words(dice, 2).upper()}\n1 x {dice.randint(1, 40)}.99 {tax} EUR" for _ in range(60)
    )


def printed_twice(dice: random.Random) -> str:
    """A form with its carbon copy."""
    once = "\n".join(sentence(dice) for _ in range(dice.randint(5, 40)))
    return f"{once}\n\n{once}"


def han_prose(dice: random.Random) -> str:
    return "。".join(
        "".join(dice.choice(_HAN) for _ in range(dice.randint(8, 30))) for _ in range(40)
    )


def han_table(dice: random.Random) -> str:
    return table(
        [
            ["".join(dice.choice(_HAN) for _ in range(dice.randint(2, 6)))]
            + [dice.choice(["-", "0.00", f"{dice.randint(0, 999999):,}.00"]) for _ in range(5)]
            for _ in range(dice.randint(20, 60))
        ]
    )


def grounded(dice: random.Random) -> str:
    """Lines with their boxes, evenly spaced as in a list."""
    step = dice.randint(12, 30)
    return "\n".join(
        f"<|ref|>text<|/ref|><|det|>[[100, {top}, {dice.randint(300, 900)}, {top + 10}]]<|/det|>\n"
        f"{words(dice, dice.randint(1, 6))}\n"
        for top in range(40, 960, step)
    )


def certificates(dice: random.Random) -> str:
    middle = words(dice, dice.randint(4, 10))
    return "\n".join(f"{words(dice, 2).title()} {middle}." for _ in range(dice.randint(20, 50)))


KINDS: dict[str, Make] = {
    make.__name__: make
    for make in (
        prose, mostly_empty_table, blank_table, same_values, invoice_rows, numbered_invoice,
        multiplication_table, hundred_chart, year_calendar, month_sheet, contents, bibliography,
        poem, code, records, numbers, bare_numbers, form_lines, answer_sheet, truth_table,
        features, marks, timetable, conversions, pipes, matrix, index, receipt, printed_twice,
        han_prose, han_table, grounded, certificates,
    )
}  # fmt: skip


def normal_text(kind: str, seed: int) -> str:
    """A page of that kind, sometimes with words before and after. The same seed, the same page."""
    dice = random.Random(f"{kind} {seed}")
    parts = [KINDS[kind](dice)]
    if dice.random() < 0.6:
        parts.insert(0, sentence(dice))
    if dice.random() < 0.5:
        parts.append(prose(dice))
    return "\n\n".join(parts)
