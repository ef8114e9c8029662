"""Business pages typeset in many layouts: lists, invoices, forms, menus, slides, cards.

Each comes with the words in the order that a person reads them in.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.quads import Pixels

WIDTH, HEIGHT = 1190, 1684
SIZE = 22
GOODS = (
    "Garden hose",
    "Bolt cutter",
    "Wax, 500 g",
    "Hinges, brass",
    "Twine",
    "Paint brush set",
    "Mortar bucket",
    "Step ladder, short",
    "Sandpaper",
    "Spirit level",
    "Door handle",
    "Putty",
)
STATES = ("available", "sold", "on order", "two left", "ask us", "next week")
TIMES = ("07:15", "08:40", "09:05", "10:30", "11:55", "14:20", "16:45", "18:10", "19:35")
DATES = ("3 May 2024", "12 June 2023", "30 April 1999", "1 July 2001", "24 August 2010")
FIELDS = {
    "First name": "Oluwaseun",
    "Family name": "Thorvaldsen",
    "Street": "Mill Lane 14",
    "Place": "Thurso",
    "Born on": "9 August 1978",
    "Nationality": "Norwegian",
    "Phone": "01847 55 20 31",
    "Profession": "Joiner",
}
DISHES = (
    ("Carrot and ginger", "Barley broth", "Tomato", "Cullen skink", "Cold cucumber", "Lentil"),
    ("Roast chicken", "Haddock in batter", "Mushroom risotto", "Beef stew", "Bean chilli", "Duck"),
)
INTRO = (
    "These are the goods that we have on the shelves of the shop in the old harbour street,",
    "and we keep them for you until the end of the month if you call us in time.",
)
HELPERS = ("Ola", "Marit", "Torunn", "Gro", "Liv", "Ane", "Kari")
SLIDES = (
    ("Why we walk", "Fresh air for everybody", "No fuel, no tickets", "It costs nothing"),
    ("Where to start", "The path by the river", "Old railway lines", "Your own street"),
    ("What goes wrong", "Shoes that are too small", "Setting out too late", "No map"),
    ("Next steps", "Join the Sunday group", "Lend us your map", "Bring a friend"),
    ("Gear", "Boots with a good sole", "A coat for the rain", "Water and bread"),
    ("Thanks", "To all who came along", "To the town council", "To the baker"),
)
CARDS = (
    ("Turnover", "1,204,300", "up 4.1 % on last year"),
    ("Orders", "8,412", "down 0.6 % on last year"),
    ("Returns", "212", "2.5 % of all orders"),
    ("Staff", "64", "three more than in May"),
)


@dataclass
class Sheet:
    """A page with its picture, the lines on it, and its words in reading order."""

    image: Image.Image = field(default_factory=lambda: Image.new("RGB", (WIDTH, HEIGHT), "white"))
    lines: list[Line] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    @property
    def pixels(self) -> Pixels:
        return np.asarray(self.image)

    @property
    def pen(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.image)

    def write(self, x: float, y: float, text: str, *, size: int = SIZE, anchor: str = "l") -> None:
        """Text with its top at y; `anchor` says which of its sides x is: l, m or r."""
        font = ImageFont.load_default(size)
        place = (x, y + size)
        self.pen.text(place, text, font=font, fill="black", anchor=f"{anchor}s")
        x0, _, x1, _ = self.pen.textbbox(place, text, font=font, anchor=f"{anchor}s")
        rect = Rect(x0, y, x1, y + 1.2 * size)
        self.lines.append(Line(text, rect, 1.0))

    def expect(self, *texts: str) -> None:
        self.order.extend(texts)


def flat(texts: Iterable[str]) -> str:
    """The text without tables' tags, titles' and lists' marks and line breaks."""
    plain = re.sub(r"<[^>]+>|(?m:^#+ |^- )", " ", "\n".join(texts)).replace("\\", "")
    return re.sub(r"\s+", " ", plain)


def is_in_order(text: str, order: Sequence[str]) -> bool:
    """Whether the text has all the words, one after the other."""
    place = 0
    for words in order:
        found = text.find(words, place)
        if found < 0:
            return False
        place = found + len(words)
    return True


def _values(dice: random.Random, count: int) -> list[str]:
    prices = [f"{dice.randrange(1, 900)}.{dice.randrange(100):02}" for _ in range(count)]
    return dice.choice(
        [prices, prices, dice.choices(STATES, k=count), sorted(dice.choices(TIMES, k=count))]
        + [dice.choices(DATES, k=count)]
    )


def _start(sheet: Sheet, dice: random.Random, title: str) -> float:
    """Header, heading and introduction, each there or not; where the page goes on."""
    if dice.random() < 0.4:
        sheet.write(100, 60, "Mackay and Sons, Ironmongers", size=17)
        sheet.write(1090, 60, "Sheet 4", size=17, anchor="r")
    y = 150.0
    if dice.random() < 0.7:
        sheet.write(100, y, title, size=36)
        y += 80
    if dice.random() < 0.6:
        for line in INTRO[: dice.choice([1, 2])]:
            sheet.write(100, y, line)
            y += 32
        y += dice.choice([20, 50])
    return y


def price_list(dice: random.Random) -> Sheet:
    """Goods and what stands beside them, 3 to 12 rows, near or far."""
    sheet = Sheet()
    y = _start(sheet, dice, "Goods in the shop")
    count = dice.randrange(3, 13)
    names, values = dice.sample(GOODS, count), _values(dice, count)
    right = dice.random() < 0.5
    x = 100 + 200 + 2 * dice.randrange(40, 341)
    pitch = dice.choice([30, 36, 44, 56])
    for name, value in zip(names, values, strict=True):
        sheet.write(100, y, name)
        sheet.write(x + 100 * right, y, value, anchor="r" if right else "l")
        sheet.expect(name, value)
        y += pitch
    if "." in values[0] and dice.random() < 0.6:
        y += dice.choice([0, 20, 40])
        sheet.write(dice.choice([100, x - 160]), y, "Total")
        sheet.write(x + 100 * right, y, "4,711.00", anchor="r" if right else "l")
        sheet.expect("Total", "4,711.00")
    return sheet


def invoice(dice: random.Random) -> Sheet:
    """Three to five columns: position, goods, quantity, unit, price."""
    sheet = Sheet()
    y = _start(sheet, dice, "Invoice")
    kinds = dice.choice(["niqp", "iqp", "iqup", "niqup", "iqpp"])
    places = {"n": 100, "i": 200, "q": dice.choice([560, 700]), "u": 800, "p": 960}
    columns = [
        (kind, places[kind] + 120 * (kind == "p" and kinds[i - 1] == "p"))
        for i, kind in enumerate(kinds)
    ]
    pitch = dice.choice([32, 40, 48])
    if dice.random() < 0.6:
        for kind, x in columns:
            head = {"n": "No", "i": "Goods", "q": "Number", "u": "Unit", "p": "Sum"}[kind]
            sheet.write(x, y, head)
        y += pitch
    for row in range(dice.randrange(2, 9)):
        price = f"{dice.randrange(2, 400)}.{dice.randrange(100):02}"
        texts = {
            "n": str(row + 1),
            "i": GOODS[row],
            "q": str(dice.randrange(1, 30)),
            "u": "pieces",
            "p": price,
        }
        for kind, x in columns:
            sheet.write(x, y, texts[kind])
        sheet.expect(*(texts[kind] for kind in kinds))
        y += pitch
    if dice.random() < 0.7:
        y += dice.choice([0, 20, 60])
        sheet.write(dice.choice([560, 660, 700, 800]), y, "Total")
        sheet.write(columns[-1][1], y, "4,711.00")
        sheet.expect("Total", "4,711.00")
    return sheet


def form(dice: random.Random) -> Sheet:
    """Names of fields, most with a value beside them."""
    sheet = Sheet()
    y = _start(sheet, dice, "Application for an allotment")
    x, pitch = dice.choice([300, 420, 600, 800]), dice.choice([40, 50, 64])
    mark = dice.choice([":", ":", ""])
    boxes = dice.random() < 0.3
    for name, value in list(FIELDS.items())[: dice.randrange(4, 9)]:
        sheet.write(100, y, name + mark)
        sheet.expect(name)
        if boxes:
            sheet.pen.rectangle((x - 10, y - 5, x + 260, y + 33), outline="black", width=2)
        if dice.random() < 0.85:
            sheet.write(x, y, value)
            sheet.expect(value)
        y += pitch
    sheet.write(100, y + 30, "I have read the rules of the garden and keep to them all the year.")
    return sheet


def menu(dice: random.Random) -> Sheet:
    """Two lists of dishes with prices, side by side."""
    sheet = Sheet()
    y = 80.0
    where = dice.choice(["m", "l", ""])
    if where:
        sheet.write(595 if where == "m" else 80, y, "The Old Smokehouse", size=40, anchor=where)
        sheet.expect("The Old Smokehouse")
        y += 110
    gap = dice.choice([60, 100, 160, 240])
    width = (WIDTH - 160 - gap) // 2
    headings = dice.random() < 0.7
    leaders = dice.random() < 0.4
    pitch = dice.choice([36, 44, 60])
    for number, (heading, dishes) in enumerate(zip(("Starters", "Plates"), DISHES, strict=True)):
        x, top = 80 + number * (width + gap), y
        if headings:
            sheet.write(x, top, heading, size=30)
            sheet.expect(heading)
            top += 64
        for dish in dishes[: dice.randrange(3, 7)]:
            price = f"{dice.randrange(3, 25)}.{dice.choice(['00', '50', '90'])}"
            sheet.write(x, top, dish)
            sheet.write(x + width, top, price, anchor="r")
            if leaders:
                end = sheet.pen.textlength(dish, font=ImageFont.load_default(SIZE))
                for dot in range(int(x + end + 12), x + width - 70, 9):
                    sheet.pen.ellipse((dot, top + SIZE - 2, dot + 1, top + SIZE - 1), fill="black")
            sheet.expect(dish, price)
            top += pitch
    if dice.random() < 0.5:
        sheet.write(595, y + 550, "All prices include the service.", anchor="m")
        sheet.expect("All prices")
    return sheet


def slides(dice: random.Random) -> Sheet:
    """Four or six slides on a page, framed or not, read row by row."""
    sheet = Sheet()
    columns, rows = dice.choice([(2, 2), (2, 3), (3, 2)])
    gap, drawn = dice.choice([20, 60, 100]), dice.choice(["frame", "frame", "shade", "none"])
    bullet = dice.choice(["\u2022 ", "- ", ""])
    width, height = (WIDTH - 120 - (columns - 1) * gap) // columns, 340
    for number in range(columns * rows):
        row, column = divmod(number, columns)
        x, y = 60 + column * (width + gap), 90 + row * (height + max(40, gap))
        box = (x, y, x + width, y + height)
        if drawn == "frame":
            sheet.pen.rectangle(box, outline="black", width=2)
        elif drawn == "shade":
            sheet.pen.rounded_rectangle(box, 16, fill=(232, 236, 242))
        title, *points = SLIDES[number]
        sheet.write(x + 24, y + 30, title, size=28)
        sheet.expect(title, *points)
        for i, point in enumerate(points):
            sheet.write(x + 24, y + 100 + 40 * i, bullet + point, size=20)
    return sheet


def cards(dice: random.Random) -> Sheet:
    """Figures on cards side by side, over a list."""
    sheet = Sheet()
    sheet.write(60, 70, "Figures of the year", size=38)
    count = dice.choice([2, 3, 4])
    width = (WIDTH - 120 - (count - 1) * 24) // count
    for number in range(count):
        x = 60 + number * (width + 24)
        box = (x, 180, x + width, 380)
        if dice.random() < 0.5:
            sheet.pen.rounded_rectangle(box, 12, outline=(180, 180, 180), width=2)
        else:
            sheet.pen.rectangle(box, fill=(228, 238, 246))
        sizes = (20, 34, 18)
        for i, (text, size) in enumerate(zip(CARDS[number], sizes, strict=True)):
            sheet.write(x + 20, 200 + 55 * i, text, size=size)
            sheet.expect(text)
    y = 450
    for name in GOODS[: dice.randrange(3, 8)]:
        price = f"{dice.randrange(2, 90)}.{dice.randrange(100):02}"
        sheet.write(60, y, name)
        sheet.write(1100, y, price, anchor="r")
        sheet.expect(name, price)
        y += 40
    return sheet


def letter_head(dice: random.Random) -> Sheet:
    """An address beside another, or beside keys with their values."""
    sheet = Sheet()
    left = ("Deliver to:", "Hannah Brightwater", "14 Canal Street", "Westport WP3 8QQ")
    other = ("Charge to:", "Brightwater Mills Ltd", "2 Wharf Road", "Westport WP1 1AA")
    keys = (
        ("Invoice:", "2024-118"),
        ("Date:", "4 June 2024"),
        ("Due:", "4 July 2024"),
        ("Customer:", "55120"),
    )
    y, pitch = 150, dice.choice([27, 30])
    as_keys = dice.random() < 0.5
    for i, text in enumerate(left):
        sheet.write(100, y + pitch * i, text)
        if as_keys:
            sheet.write(700, y + pitch * i, keys[i][0])
            sheet.write(dice.choice([860, 860]), y + pitch * i, keys[i][1])
        else:
            sheet.write(dice.choice([620]), y + pitch * i, other[i])
    sheet.expect(*left)
    sheet.expect(*([word for pair in keys for word in pair] if as_keys else other))
    for i, line in enumerate(INTRO):
        sheet.write(100, 400 + 32 * i, line)
    sheet.expect(INTRO[0])
    return sheet


def tables(dice: random.Random) -> Sheet:
    """Two tables with headings side by side."""
    sheet = Sheet()
    y = _start(sheet, dice, "Stock and hours")
    rows, pitch = dice.randrange(3, 8), dice.choice([34, 44])
    for column, heads in enumerate((("Tool", "Price"), ("Helper", "Paid"))):
        x = 100 + 560 * column
        sheet.write(x, y, heads[0])
        sheet.write(x + 420, y, heads[1], anchor="r")
        sheet.expect(*heads)
        for row in range(rows):
            name = (GOODS, HELPERS)[column][row]
            value = f"{dice.randrange(2, 90)}.{dice.randrange(100):02}"
            sheet.write(x, y + pitch * (row + 1), name)
            sheet.write(x + 420, y + pitch * (row + 1), value, anchor="r")
            sheet.expect(name, value)
    return sheet


def prose(dice: random.Random) -> Sheet:
    """Two columns of running text, their rows level."""
    sheet = Sheet()
    words = " ".join(INTRO).replace(",", "").split()
    size, gap = dice.choice([18, 22]), dice.choice([30, 50, 90])
    width = (WIDTH - 200 - gap) // 2
    font = ImageFont.load_default(size)
    y0 = 100.0
    if dice.random() < 0.5:
        sheet.write(595, 80, "The walk along the shore", size=36, anchor="m")
        y0 = 180
    for column in range(2):
        for row in range(dice.choice([12, 25, 40])):
            line = f"{'ab'[column]}{row:02}"
            while sheet.pen.textlength(line, font=font) < width - 90:
                line += " " + dice.choice(words)
            sheet.write(100 + column * (width + gap), y0 + 1.4 * size * row, line, size=size)
            sheet.expect(line[:3])
    return sheet


def paper(dice: random.Random) -> Sheet:
    """Two columns of running text, with a table of numbers in the right one."""
    sheet = Sheet()
    words = " ".join(INTRO).replace(",", "").split()
    width, gap, step = 480, 30, 26
    font = ImageFont.load_default(18)
    place, rows = dice.randrange(2, 20), dice.randrange(4, 9)
    for column in range(2):
        x = 100 + column * (width + gap)
        for row in range(34):
            y = 100 + step * row
            if column and place <= row <= place + rows + 1:
                if place < row <= place + rows:
                    for i in range(4):
                        number = f"{dice.randrange(100, 900) / 10}"
                        sheet.write(x + 60 + 110 * i, y, number, size=18)
                continue
            line = f"{'ab'[column]}{row:02}"
            while sheet.pen.textlength(line, font=font) < width - 80:
                line += " " + dice.choice(words)
            sheet.write(x, y, line, size=18)
            if column == 0 or row < place:
                sheet.expect(line[:3])
    return sheet


KINDS: dict[str, Callable[[random.Random], Sheet]] = {
    "price_list": price_list,
    "invoice": invoice,
    "form": form,
    "menu": menu,
    "slides": slides,
    "cards": cards,
    "letter_head": letter_head,
    "tables": tables,
    "prose": prose,
    "paper": paper,
}


def sheet_of(kind: str, seed: int) -> Sheet:
    return KINDS[kind](random.Random(f"{kind} {seed}"))
