"""Rows that belong together: price lists, forms, menus, ticks, slides, contents, month sheets."""

from __future__ import annotations

import calendar
import random
import re

from bench.typeset import words
from bench.typeset.case import Case, case_of
from bench.typeset.sheet import BOLD, SANS, SERIF, Anchor, Sheet, width_of


def rows(dice: random.Random) -> Case:
    """K01: a price list, a form, or an invoice of four columns."""
    sheet, order = Sheet(), []
    font, size = dice.choice([SANS, SERIF]), dice.choice([10, 11, 13])
    x, y = dice.uniform(50, 90), dice.uniform(70, 110)
    sheet.text(x, y, dice.choice(["Price list", "Invoice", "Stock", "Order form"]), size=20)
    y += 40
    if dice.random() < 0.6:
        y = sheet.paragraph(x, y, 440, " ".join(words.prose(dice, 2)), size=size, font=font) + 16
    gap, right = dice.choice([170, 240, 330, 420]), dice.random() < 0.5
    pitch = size * dice.choice([1.6, 2.0, 2.6])
    anchor: Anchor = "r" if right else "l"
    columns = dice.choice([2, 2, 4])
    if columns == 2:
        pairs = (
            dice.sample(words.FIELDS, dice.randrange(4, 9))
            if dice.random() < 0.4
            else list(
                zip(
                    dice.sample(words.GOODS, count := dice.randrange(3, 13)),
                    words.values(dice, count),
                    strict=True,
                )
            )
        )
        for name, value in pairs:
            sheet.text(x, y, name, size=size, font=font)
            sheet.text(x + gap, y, value, size=size, font=font, anchor=anchor)
            order += [name, value]
            y += pitch
    else:
        for number in range(dice.randrange(2, 9)):
            entries = (str(number + 1), words.GOODS[number], str(dice.randrange(1, 40)))
            for place, entry in zip((0, 50, 260), entries, strict=True):
                sheet.text(x + place, y, entry, size=size, font=font)
            sum_ = words.price(dice)
            sheet.text(x + 440, y, sum_, size=size, font=font, anchor="r")
            order += [*entries[1:], sum_]
            y += pitch
    return case_of(sheet, dice, order=order)


def menu(dice: random.Random) -> Case:
    """K02: two lists of dishes with prices, side by side."""
    sheet = Sheet()
    order = ["The Ferry House"]
    font, size = dice.choice([SANS, SERIF]), dice.choice([11, 13])
    sheet.text(297, 90, "The Ferry House", size=26, font=font, anchor="m")
    gap, leaders = dice.choice([50, 80, 120]), dice.random() < 0.5
    width, pitch = (475 - gap) / 2, size * dice.choice([1.7, 2.2])
    count = dice.randrange(3, 7)
    for column, (heading, dishes) in enumerate(
        zip(("Small plates", "Large plates"), words.DISHES, strict=True)
    ):
        x, y = 60 + column * (width + gap), 150.0
        sheet.text(x, y, heading, size=size + 5, font=font)
        order.append(heading)
        for dish in dishes[:count]:
            y += pitch
            amount = f"{dice.randrange(3, 30)}.{dice.choice(['00', '40', '80'])}"
            end = sheet.text(x, y, dish, size=size, font=font)
            sheet.text(x + width, y, amount, size=size, font=font, anchor="r")
            if leaders:
                dots = int((width - end - 50) / width_of(" .", size, font))
                sheet.text(x + end + 8, y, " ." * max(0, dots), size=size, font=font)
            order += [dish, amount]
    return case_of(sheet, dice, order=order)


def ticks(dice: random.Random) -> Case:
    """K06: boxes that are crossed, ticked, filled or empty, before their labels."""
    sheet = Sheet()
    size = dice.choice([11, 13, 15])
    x, y = dice.uniform(60, 120), 100.0
    sheet.text(x, y, "Which of these do you need?", size=size + 6)
    labels = dice.sample(
        ["Parking space", "Wheelchair", "Vegetarian meal", "Hotel room", "Train ticket", "Loan"],
        dice.randrange(3, 7),
    )
    mark, patterns = dice.choice(["cross", "tick", "fill"]), []
    chosen = set(dice.sample(labels, dice.randrange(1, len(labels))))
    side = size * dice.choice([0.8, 1.0, 1.2])
    for label in labels:
        y += size * 2
        left, top = x, y - side
        sheet.box(left, top, left + side, top + side, outline=(0, 0, 0))
        if label in chosen:
            _mark(sheet, mark, left, top, side)
        sheet.text(x + side + 8, y, label, size=size)
        state = r"(?:\[[xX]\]|[☑☒✓✔⊠])" if label in chosen else r"(?:\[ \]|[☐□])"
        patterns.append(rf"{state} ?{re.escape(label)}")
    return case_of(sheet, dice, patterns=patterns)


def _mark(sheet: Sheet, mark: str, left: float, top: float, side: float) -> None:
    inner = side * 0.2
    if mark == "fill":
        sheet.box(
            left + inner, top + inner, left + side - inner, top + side - inner, fill=(0, 0, 0)
        )
    elif mark == "cross":
        for start, end in ((inner, side - inner), (side - inner, inner)):
            sheet.line(
                [(left + start, top + inner), (left + end, top + side - inner)], width=side / 9
            )
    else:
        points = ((0.15, 0.5), (0.4, 0.8), (0.9, 0.1))
        sheet.line([(left + a * side, top + b * side) for a, b in points], width=side / 8)


def slides(dice: random.Random) -> Case:
    """K16: slides on a page, framed or not, row by row."""
    sheet, order = Sheet(842, 595), []
    columns, lines = dice.choice([(2, 2), (3, 2), (2, 3)])
    gap, framed = dice.choice([16, 36]), dice.random() < 0.7
    width = (842 - 80 - gap * (columns - 1)) / columns
    height = (595 - 80 - gap * (lines - 1)) / lines
    topics = dice.sample(["Wind", "Water", "Timber", "Stone", "Wool", "Peat"], columns * lines)
    for number, topic in enumerate(topics):
        line, column = divmod(number, columns)
        x, y = 40 + column * (width + gap), 40 + line * (height + gap)
        if framed:
            sheet.box(x, y, x + width, y + height, outline=(0, 0, 0))
        title = f"{number + 1}. {topic}"
        points = [f"Why {topic.lower()} matters", f"Where {topic.lower()} is found"]
        sheet.text(x + 14, y + 30, title, size=17, font=BOLD)
        for place, point in enumerate(points):
            sheet.text(x + 20, y + 58 + 22 * place, f"\u2022 {point}", size=12)
        order += [title, *points]
    return case_of(sheet, dice, order=order)


def contents(dice: random.Random) -> Case:
    """K30: entries with leaders and page numbers, Roman ones first."""
    sheet, order = Sheet(), []
    font, size = dice.choice([SANS, SERIF]), dice.choice([11, 12, 13])
    x, y, right = 80.0, 100.0, dice.choice([430, 500])
    sheet.text(x, y, "Contents", size=20, font=font)
    y += 40
    step = dice.choice([".", " ."])
    entries = [("Foreword", dice.choice(["v", "vii", "ix"]))]
    page = 1
    for number, topic in enumerate(dice.sample(words.GOODS, 6), start=1):
        entries.append((f"{number} {topic.partition(',')[0]}", str(page)))
        page += dice.randrange(1, 24)
    for name, where in entries:
        end = sheet.text(x, y, name, size=size, font=font)
        sheet.text(right, y, where, size=size, font=font, anchor="r")
        room = right - x - end - 8 - width_of(where, size, font)
        dots = step * int(room / width_of(step, size, font))
        sheet.text(x + end + 4, y, dots, size=size, font=font)
        order.append(f"{name} {where}")
        y += 1.8 * size
    return case_of(sheet, dice, order=order)


def month(dice: random.Random) -> Case:
    """K19: a month sheet, ruled or not, with notes below some days or none."""
    sheet = Sheet(842, 595)
    year, number = dice.randrange(2018, 2030), dice.randrange(1, 13)
    weeks = calendar.monthcalendar(year, number)
    sheet.text(60, 60, f"{words.MONTHS[number - 1]} {year}", size=24, font=BOLD)
    ruled, notes = dice.random() < 0.5, dice.random() < 0.5
    width, height = dice.choice([90, 102]), dice.choice([56, 70])
    for column, day in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
        sheet.text(70 + column * width, 105, day, size=13)
        for line, week in enumerate(weeks):
            x, y = 64 + column * width, 115 + line * height
            if ruled:
                sheet.box(x, y, x + width, y + height, outline=(0, 0, 0), width=0.7)
            if week[column]:
                sheet.text(x + 6, y + 18, str(week[column]), size=13)
                if notes and dice.random() < 0.2:
                    sheet.text(x + 6, y + 36, dice.choice(["Dentist", "Choir", "Market"]), size=9)
    last = calendar.monthrange(year, number)[1]
    pattern = rf"RAW:<td>Mon</td>.*<td>Sun</td>.*<td>15.*<td>{last}"
    return case_of(sheet, dice, patterns=[pattern])


def letter_head(dice: random.Random) -> Case:
    """K09: references, dates and banks at the edges of a letter."""
    sheet = Sheet()
    font, size = dice.choice([SANS, SERIF]), dice.choice([10, 11])
    reference = (
        f"{dice.choice(['HW', 'FB', 'KX'])}/{dice.randrange(1000, 9999)}/{dice.randrange(99)}"
    )
    day, iban = (
        words.date(dice),
        f"IBAN NO{dice.randrange(10, 99)} 8601 1117 {dice.randrange(1000, 9999)}",
    )
    y, right = dice.uniform(30, 60), dice.random() < 0.6
    x: float = 535 if right else 60
    anchor: Anchor = "r" if right else "l"
    sheet.text(x, y, f"Our reference: {reference}", size=9, font=font, anchor=anchor)
    sheet.text(x, y + 13, day, size=9, font=font, anchor=anchor)
    name = dice.choice(words.NAMES)
    y = 180.0
    sheet.text(60, y, f"Dear {name},", size=size, font=font)
    sentences = words.prose(dice, 5)
    sheet.paragraph(60, y + 30, 470, " ".join(sentences), size=size, font=font)
    sheet.text(60, 790, f"Ferry Trust, {dice.choice(words.TOWNS)}", size=8, font=font)
    sheet.text(240, 790, iban, size=8, font=font)
    sheet.text(430, 790, f"Register {dice.randrange(10000, 99999)}", size=8, font=font)
    return case_of(
        sheet, dice, order=[reference, day, f"Dear {name}", *words.beginnings(sentences), iban]
    )
