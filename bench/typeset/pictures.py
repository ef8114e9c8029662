"""Pages whose picture is hard to read: stamps, deep scans, crops, turned parts, curves, fax."""

from __future__ import annotations

import io
import random

import numpy as np
from PIL import Image

from bench.typeset import words
from bench.typeset.case import Case, case_of, encoded, rotated, scanned, waved
from bench.typeset.sheet import BOLD, FONTS, SANS, SERIF, WHITE, Colour, Sheet, width_of

INKS: tuple[Colour, ...] = ((0.8, 0.1, 0.1), (0.1, 0.2, 0.7), (0.9, 0.5, 0.5), (0.1, 0.5, 0.3))


def stamp(dice: random.Random) -> Case:
    """K05: a stamp over running text."""
    sheet, sentences = Sheet(), words.prose(dice, 6)
    size = dice.choice([11, 12, 13])
    sheet.text(60, 80, "Report of the bridge committee", size=18)
    sheet.paragraph(60, 120, 470, " ".join(sentences), size=size, font=dice.choice([SANS, SERIF]))
    ink, angle = dice.choice(INKS), dice.choice([0, 8, 14, -10])
    x, y = dice.uniform(150, 300), dice.uniform(150, 210)
    label = dice.choice(["RECEIVED", "PAID", "COPY", "FILED"])
    sheet.operators.append("q /Multiply gs")
    width = sheet.text(x, y, label, size=34, font=BOLD, colour=ink, angle=angle)
    _frame(sheet, (x, y), (width, 34), angle, ink)
    sheet.operators.append("Q")
    return case_of(sheet, dice, forms=("png", "jpg"), order=words.beginnings(sentences, 4))


def _frame(
    sheet: Sheet, at: tuple[float, float], size: tuple[float, float], angle: float, ink: Colour
) -> None:
    radians = np.radians(angle)
    corners = [(-8, 10), (size[0] + 8, 10), (size[0] + 8, -size[1]), (-8, -size[1]), (-8, 10)]
    turned = [
        (
            at[0] + a * float(np.cos(radians)) + b * float(np.sin(radians)),
            at[1] - a * float(np.sin(radians)) + b * float(np.cos(radians)),
        )
        for a, b in corners
    ]
    sheet.line(turned, width=2.5, colour=ink)


def deep(dice: random.Random) -> Case:
    """K08: grey of 10 to 16 bits, or floating point."""
    sheet, sentences = Sheet(420, 240), words.prose(dice, 3)
    sheet.paragraph(30, 60, 360, " ".join(sentences), size=13, font=dice.choice([SANS, SERIF]))
    grey = np.asarray(sheet.picture(150).convert("L"), np.float32) / 255
    kind = dice.choice(["png", "tif", "float", "unit"])
    out = io.BytesIO()
    if kind in ("png", "tif"):
        highest = 2 ** dice.choice([10, 12, 14, 16]) - 1
        image = Image.fromarray((grey * highest).astype(np.uint16))
        image.save(out, "PNG" if kind == "png" else "TIFF")
    else:
        image = Image.fromarray(grey * (1 if kind == "unit" else 255))
        image.save(out, "TIFF")
    return Case(out.getvalue(), "png" if kind == "png" else "tif", words.beginnings(sentences))


def crop(dice: random.Random) -> Case:
    """K11: one or two characters alone."""
    letters = dice.choice(
        ["3", "5", "8", "27", "B", "R", "K", "Nr", "XI", "19", "4", "Ok", "2", "G"]
    )
    size, font = dice.choice([24, 32, 40]), dice.choice([SANS, SERIF, BOLD])
    margin = dice.uniform(0.4, 0.9) * size
    drawn = Sheet(size * 0.62 * len(letters) + 2 * margin, 0.8 * size + 2 * margin)
    drawn.text(margin, margin + 0.75 * size, letters, size=size, font=font)
    content = encoded(drawn.picture(72 * dice.choice([1.5, 2, 2.5])), "PNG")
    return Case(content, "png", patterns=[rf"(?<![\w/_.]){letters}(?![\w/_.])"])


def directions(dice: random.Random) -> Case:
    """K13: the back of a card upside down or sideways, or upright headings of a table."""
    sheet = Sheet()
    if dice.random() < 0.5:
        heads = dice.sample(["Weaving", "Carpentry", "Singing", "Sewing", "Drawing"], 4)
        sheet.text(70, 200, "Course", size=13)
        for place, head in enumerate(heads):
            sheet.text(215 + 70 * place, 205, head, size=13, angle=90)
        order = ["Course", *heads]
        for line, day in enumerate(("Tuesday", "Thursday", "Saturday")):
            counts = [str(dice.randrange(3, 40)) for _ in heads]
            sheet.text(70, 240 + 30 * line, day, size=13)
            for place, count in enumerate(counts):
                sheet.text(205 + 70 * place, 240 + 30 * line, count, size=13)
            order += [day, *counts]
        for line in range(5):
            y = (115, 215, 248, 278, 308)[line]
            sheet.line([(60, y), (480, y)], width=0.8)
        for x in (60, 190, 260, 330, 400, 480):
            sheet.line([(x, 115), (x, 308)], width=0.8)
        return case_of(sheet, dice, forms=("png", "jpg"), order=order)
    name, number = (
        dice.choice(words.NAMES),
        f"{dice.randrange(1000, 9999)}-{dice.randrange(100, 999)}",
    )
    front = ("MEMBER CARD", name, f"Number {number}", "Rowing club")
    back = ("If lost, send it back to", "Rowing club, Pier Road 8", dice.choice(words.TOWNS))
    sheet.box(110, 80, 480, 280, outline=(0, 0, 0))
    sheet.box(110, 300, 480, 500, outline=(0, 0, 0))
    for place, label in enumerate(front):
        sheet.text(140, 130 + 34 * place, label, size=(20, 16, 14, 14)[place])
    for place, label in enumerate(back):
        sheet.text(450, 470 - 30 * place, label, size=14, angle=180)
    return case_of(sheet, dice, forms=("png", "jpg"), order=[*front, *back])


def curved(dice: random.Random) -> Case:
    """K14: lines as on a book that does not lie flat."""
    sheet, sentences = Sheet(470, 330), words.prose(dice, 4)
    size = dice.choice([13, 15])
    sheet.paragraph(40, 80, 390, " ".join(sentences), size=size, font=dice.choice([SANS, SERIF]))
    height = size * 200 / 72
    picture = waved(
        sheet.picture(200), height * dice.uniform(0.5, 1.0), dice.choice([1.0, 1.0, 2.0])
    )
    return Case(encoded(scanned(picture, dice), "JPEG"), "jpg", words.beginnings(sentences, 4))


def margin_line(dice: random.Random) -> Case:
    """K15: an upright line along the margin of a page of two columns or one."""
    sheet, sentences = Sheet(), words.prose(dice, 10)
    number = f"{dice.randrange(1000, 9999)}.{dice.randrange(100, 999)}"
    note = f"archive:{number}v2 [hist.br] {words.date(dice)}"
    left = dice.random() < 0.6
    sheet.text(
        28 if left else 585, dice.uniform(450, 700), note, size=dice.choice([10, 16]), angle=90
    )
    sheet.text(297, 90, "How the village rebuilt its bridge", size=18, anchor="m")
    columns = dice.choice([1, 2])
    width = 220 if columns == 2 else 460
    for column in range(columns):
        part = sentences[column * 10 // columns : (column + 1) * 10 // columns]
        sheet.paragraph(70 + column * 240, 140, width, " ".join(part), size=10, font=SERIF)
    order = words.beginnings(sentences)
    pattern = r"^(?!.*#+ *(?:archive|.*hist\.br)).*$"
    joined = rf"RAW:\A(?!.*archive:.*{order[-1]}).*\Z"
    return case_of(sheet, dice, order=order, patterns=[pattern, joined])


def sparse(dice: random.Random) -> Case:
    """K22: a few small lines on a large scan."""
    sheet = Sheet()
    lines = dice.sample(
        ["A few words in small print", "that are easy to overlook", "although the sheet is large",
         "and all around is white", "signed by the keeper"], 3
    )  # fmt: skip
    size, y = dice.uniform(5.5, 7), dice.uniform(150, 650)
    x = dice.uniform(80, 350)
    for place, line in enumerate(lines):
        sheet.text(x, y + 1.6 * size * place, line, size=size, font=dice.choice([SANS, SERIF]))
    return Case(encoded(sheet.picture(dice.choice([400, 500])).convert("L"), "PNG"), "png", lines)


def inverse(dice: random.Random) -> Case:
    """K24: white words on a dark patch within a line."""
    sheet, sentences = Sheet(), words.prose(dice, 4)
    size = dice.choice([12, 14, 16])
    y, order = 100.0, []
    for sentence in sentences:
        x, parts = 60.0, sentence.split()[:7]
        place = dice.randrange(1, 4)
        for number, word in enumerate(parts):
            dark = number in (place, place + 1)
            text = word + (" " if number < len(parts) - 1 else "")
            from_, to = x, x + width_of(text, size)
            if dark:
                sheet.box(from_ - 1, y - size, to - 1, y + 0.35 * size, fill=(0.1, 0.1, 0.2))
            sheet.text(x, y, text, size=size, colour=WHITE if dark else (0, 0, 0))
            x = to
        order.append(" ".join(parts))
        y += 2.2 * size
    return case_of(sheet, dice, forms=("png", "jpg"), order=order)


def skewed(dice: random.Random) -> Case:
    """K27: 12 to 45 degrees."""
    sheet, sentences = Sheet(420, 300), words.prose(dice, 5)
    sheet.paragraph(40, 60, 340, " ".join(sentences), size=12, font=dice.choice([SANS, SERIF]))
    degrees = dice.choice([-1, 1]) * dice.uniform(12, 45)
    picture = rotated(sheet.picture(150), degrees)
    return Case(encoded(picture, "PNG"), "png", words.beginnings(sentences, 4))


def fax(dice: random.Random) -> Case:
    """K28: black and white of few dots: flagged where it cannot be read, else read."""
    sheet, sentences = Sheet(), words.prose(dice, 5)
    sheet.paragraph(60, 100, 470, " ".join(sentences), size=10, font=dice.choice(FONTS[:2]))
    legible = dice.random() < 0.4
    picture = sheet.picture(100 if legible else dice.choice([56, 62])).convert("L")
    values = np.asarray(picture, np.float32)
    spots = np.random.default_rng(dice.randrange(1 << 30)).normal(
        0, 8 if legible else 22, values.shape
    )
    content = encoded(Image.fromarray((values + spots > 165).astype(np.uint8) * 255), "PNG")
    if legible:
        return Case(content, "png", words.beginnings(sentences, 3))
    return Case(content, "png", patterns=["FLAGS:low_confidence|unsupported_script"])
