"""Pages whose lines have a meaning of their own: code, verse, numbers of lines, signs, accents."""

from __future__ import annotations

import random
import re

from PIL import Image, ImageDraw, ImageFont

from bench.typeset import words
from bench.typeset.case import FORMS, Case, case_of, encoded
from bench.typeset.sheet import BOLD, MONO, SANS, SERIF, WHITE, Sheet

LISTINGS = (
    (
        "def average(rows, skip=0):",
        "    count = 0",
        "    for row in rows[skip:]:",
        "        if row.weight <= 0:",
        "            continue",
        "        count += row.weight",
        "    return count / max(1, len(rows))",
    ),
    (
        "server:",
        "  port: 8080",
        "  hosts:",
        "    - name: north",
        "      weight: 3",
        "    - name: south",
        "      weight: 5",
        "log: /var/log/app.log",
    ),
    (
        "for (int i = 0; i < n; i++) {",
        "    if (seen[i]) {",
        "        total += price[i];",
        "    }",
        "}",
        'printf("%d\\n", total);',
    ),
)
TERMINALS = (
    (
        "$ ls -l /srv/data",
        "total 24",
        "-rw-r--r-- 1 root root 8192 May  4 09:12 index.db",
        "drwxr-xr-x 2 root root 4096 May  4 09:12 pages",
        "$ du -sh /srv/data/pages",
        "1.2G    /srv/data/pages",
    ),
    (
        "$ mount",
        "/dev/vda1 on / type ext4 (rw)",
        "/dev/vda2 on /home type ext4 (rw)",
        "$ df -h /",
        "Filesystem      Size  Used Avail Use% Mounted on",
        "/dev/vda1        40G   22G   18G  55% /",
        "/dev/vda2       120G   60G   60G  50% /home",
    ),
    (
        "$ ping -c 2 192.168.4.7",
        "64 bytes from 192.168.4.7: icmp_seq=1 ttl=64 time=0.42 ms",
        "64 bytes from 192.168.4.7: icmp_seq=2 ttl=64 time=0.39 ms",
        "12:40:03 INFO  cache warmed in 2.4 s",
        "12:40:09 ERROR worker 3 stopped: exit code 137",
    ),
)
VERSES = (
    (
        "The lamp was lit, the kettle sang",
        "and rain was on the pane,",
        "the dog looked up, the doorbell rang,",
        "and no one came again.",
    ),
    (
        "A gull sat on the harbour wall",
        "and watched the boats go by,",
        "it did not count the sails at all,",
        "it only watched the sky.",
    ),
    (
        "I lent my scythe to Peter Gray",
        "before the hay was dry,",
        "he brought it back on New Year's Day",
        "and never told me why.",
    ),
)
DIRECTIONS = (
    ("Unscrew the lid of the tank", "Pour in two litres of water", "Press the green button once",
     "Wait until the light goes out"),
    ("Four tins of white paint", "Two brushes, one of them wide", "A roll of paper for the floor",
     "Gloves for all of us"),
    ("Kitchen 12.8 m2, facing west", "Bath 5.1 m2, no window", "Study 9.4 m2, oak floor",
     "Cellar 20 m2, dry"),
)  # fmt: skip
SIGNS = (
    "\u00bc pint", "\u00bd cup", "\u00be inch", "12 \u2030", "\u00a3845.00", "\u00a512,400",
    "1.249,50 \u20ac", "84 m\u00b2", "210 m\u00b3", "18 \u00b0C", "\u00a7 14", "\u00b1 0.5",
    "5 \u00d7 7", "\u00a9 2024", "No. 5 & 6", "45 %", "me@mail.org", "a/b", "#12",
)  # fmt: skip
ACCENTED = (
    ("P\u0159\u00edli\u0161", "\u017dlut\u00fd k\u016f\u0148"),
    ("\u0141\u00f3d\u017a", "\u017c\u00f3\u0142ta \u0107ma"),
    ("\u00c5ngstr\u00f6m", "sm\u00f6rg\u00e5s"),
    ("K\u0151szeg", "f\u0171t\u00e9s \u00e9s t\u0171z"),
    ("\u0130zmir", "\u0131\u015f\u0131k g\u00f6l\u00fc"),
    ("\u00c6r\u00f8", "k\u00e6rlighed"),
    ("\u00deing", "\u00fea\u00f0 er s\u00e6lt"),
    ("Br\u0103ila", "\u021bar\u0103 \u0219i cas\u0103"),
    ("\u00bfQu\u00e9?", "\u00a1Ma\u00f1ana no!"),
    ("\u0122irts", "\u0137iploks \u0146em"),
    ("gar\u00e7on", "h\u00f4tel \u00e0 No\u00ebl"),
)
VERTICAL = (
    ("\u6625\u306e\u671d", "\u5ddd\u306e\u6c34\u306f\u51b7\u305f\u304f\u6d41\u308c\u308b",
     "\u5b50\u4f9b\u305f\u3061\u306f\u6a4b\u306e\u4e0a\u304b\u3089\u77f3\u3092\u6295\u3052\u308b",
     "\u767d\u3044\u9ce5\u304c\u7530\u306e\u4e2d\u3092\u6b69\u304f",
     "\u5915\u65b9\u306b\u306f\u96e8\u304c\u964d\u308b\u3060\u308d\u3046"),
    ("\u5c71\u306e\u5bbf", "\u9053\u306f\u7d30\u304f\u6728\u306f\u9ad8\u3044",
     "\u5bbf\u306e\u4e3b\u4eba\u306f\u9b5a\u3092\u713c\u3044\u3066\u5f85\u3063\u3066\u3044\u308b",
     "\u591c\u306b\u306f\u661f\u304c\u3088\u304f\u898b\u3048\u308b",
     "\u660e\u65e5\u306f\u5317\u306e\u6751\u3078\u884c\u304f"),
)  # fmt: skip
CJK_FONTS = (
    "NotoSansCJK-Regular.ttc", "NotoSerifCJK-Regular.ttc", "wqy-zenhei.ttc", "wqy-microhei.ttc",
    "ipag.ttf", "Hiragino Sans GB.ttc", "msgothic.ttc",
)  # fmt: skip
LATIN_FONTS = ("DejaVuSerif.ttf", "DejaVuSans.ttf", "LiberationSerif-Regular.ttf", "arial.ttf")


class MissingFont(Exception):
    """No font of the machine has the letters of this kind."""


def code(dice: random.Random) -> Case:
    """K17: a listing, light or dark, with numbers of lines or without."""
    listing = dice.choice(LISTINGS)
    sheet, size, dark = Sheet(520, 260), dice.choice([11, 12, 13]), dice.random() < 0.3
    if dark:
        sheet.box(0, 0, 520, 260, fill=(0.1, 0.1, 0.15))
    for place, line in enumerate(listing):
        colour = WHITE if dark else (0, 0, 0)
        sheet.text(40, 50 + 1.5 * size * place, line, size=size, font=MONO, colour=colour)
    indented = [line for line in listing if line.startswith(" ")]
    patterns = [rf"RAW:\n {{{_indent(line)}}}{re.escape(line.strip()[:8])}" for line in indented]
    return case_of(sheet, dice, forms=("pdf", "png") if dark else FORMS, patterns=patterns)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def short_lines(dice: random.Random) -> Case:
    """K18: verse, directions or a list, whose lines stand for themselves."""
    sheet = Sheet()
    lines = dice.choice([*VERSES, *DIRECTIONS])
    font, size = dice.choice([SANS, SERIF]), dice.choice([12, 14, 16])
    x, y, pitch = dice.uniform(60, 160), dice.uniform(80, 200), size * dice.choice([1.4, 1.9])
    for place, line in enumerate(lines):
        sheet.text(x, y + pitch * place, line, size=size, font=font)
    patterns = [
        rf"RAW:{re.escape(first[-5:])} *\n+(?:- )?{re.escape(second[:5])}"
        for first, second in zip(lines, lines[1:], strict=False)
    ]
    return case_of(sheet, dice, patterns=patterns)


def terminal(dice: random.Random) -> Case:
    """K23: commands and what they print."""
    lines = dice.choice(TERMINALS)
    sheet, size, dark = Sheet(620, 220), dice.choice([10, 11, 12]), dice.random() < 0.5
    if dark:
        sheet.box(0, 0, 620, 220, fill=(0.08, 0.08, 0.1))
    for place, line in enumerate(lines):
        colour = (0.9, 0.9, 0.9) if dark else (0, 0, 0)
        sheet.text(24, 40 + 1.45 * size * place, line, size=size, font=MONO, colour=colour)
    order = [re.sub(r"\s+", " ", line) for line in lines]
    return case_of(sheet, dice, forms=("png", "pdf"), order=order)


def numbered(dice: random.Random) -> Case:
    """K21: numbers of lines in the margin of a legal paper or an edition."""
    sheet, sentences = Sheet(), words.prose(dice, 8)
    every, size, y = dice.choice([1, 1, 5]), 12, 90.0
    font = dice.choice([SERIF, MONO, SANS])
    line_number, fragments = 0, []
    for sentence in sentences:
        half = sentence.split()
        for part in (half[: len(half) // 2], half[len(half) // 2 :]):
            line_number += 1
            if line_number % every == 0:
                sheet.text(70, y, str(line_number), size=size - 1, font=font, anchor="r")
            sheet.text(100, y, " ".join(part), size=size, font=font)
            fragments.append(" ".join(part[:3]))
            y += 27
    pattern = r"RAW:\A(?!.*\b(?:10|15)\b).*\Z"  # these numbers are in no sentence
    return case_of(sheet, dice, order=fragments, patterns=[pattern])


def signs(dice: random.Random) -> Case:
    """K25: signs beside letters."""
    sheet, chosen = Sheet(), dice.sample(SIGNS, 10)
    font, size = dice.choice([SANS, SERIF]), dice.choice([12, 14])
    sheet.text(60, 70, "Notes of the storekeeper", size=18, font=BOLD)
    order = []
    for place, sign in enumerate(chosen):
        label = dice.choice(["Entry", "Amount", "Note", "Value"])
        sheet.text(
            60,
            110 + 2 * size * place,
            f"{label} {place + 1}: {sign} as agreed",
            size=size,
            font=font,
        )
        order.append(f"{sign} as agreed")
    return case_of(sheet, dice, order=order)


def accents(dice: random.Random) -> Case:
    """K26: letters of European languages, in a picture."""
    font = _font(LATIN_FONTS, dice.choice([30, 38]))
    lines = [" ".join(pair) for pair in dice.sample(ACCENTED, 6)]
    picture = Image.new("RGB", (900, 460), "white")
    for place, line in enumerate(lines):
        ImageDraw.Draw(picture).text((60, 40 + 64 * place), line, font=font, fill="black")
    return Case(encoded(picture, "PNG"), "png", lines)


def vertical(dice: random.Random) -> Case:
    """K07: columns of Japanese from top to bottom, the first at the right."""
    size = dice.choice([36, 44])
    font, columns = _font(CJK_FONTS, size), dice.choice(VERTICAL)
    picture = Image.new("RGB", (900, 900), "white")
    for place, column in enumerate(columns):
        x = 760 - round(place * size * 2.0)
        for row, letter in enumerate(column):
            y = 70 + round(row * size * 1.06)
            ImageDraw.Draw(picture).text((x, y), letter, font=font, fill="black")
    return Case(encoded(picture, "PNG"), "png", [column[:4] for column in columns])


def _font(names: tuple[str, ...], size: int) -> ImageFont.FreeTypeFont:
    for name in names:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    raise MissingFont(f"none of the fonts {', '.join(names)} is installed")
