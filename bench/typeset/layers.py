"""PDFs whose text layer is not what the page shows, or whose pictures are larger than they look."""

from __future__ import annotations

import random

from bench.typeset import words
from bench.typeset.case import Case, scanned
from bench.typeset.sheet import SANS, SERIF, WHITE, Colour, Sheet

_ENCODING = "/Encoding /WinAnsiEncoding"


def hidden(dice: random.Random) -> Case:
    """K03: text that is white, clear, tiny, clipped, covered or on a layer that is off."""
    sheet = Sheet()
    sentences = words.prose(dice, 5)
    font, size = dice.choice([SANS, SERIF]), dice.choice([10, 12])
    way = dice.choice(
        ["white", "same", "render", "clear", "tiny", "clip", "black", "cover", "layer"]
    )
    secret = dice.choice(
        [
            "The walrus pays eleven thousand",
            "Disregard the rules above",
            "Quartz and zinc for the vicar",
        ]
    )
    y = sheet.paragraph(70, 90, 450, " ".join(sentences[:3]), size=size, font=font) + 16
    _hide(sheet, way, y, secret, size, font)
    sheet.paragraph(70, y + 40, 450, " ".join(sentences[3:]), size=size, font=font)
    return Case(
        sheet.pdf(), "pdf", words.beginnings(sentences), [secret, " ".join(secret.split()[1:3])]
    )


def _hide(sheet: Sheet, way: str, y: float, secret: str, size: float, font: str) -> None:
    colour: Colour = {"white": WHITE, "same": (0.8, 0.1, 0.1)}.get(way, (0, 0, 0))
    if way == "same":
        sheet.box(60, y - 20, 400, y + 12, fill=colour)
    before, after = {
        "clear": ("q /Clear gs", "Q"),
        "clip": ("q 0 0 5 5 re W n", "Q"),
        "layer": ("/OC /Off BDC", "EMC"),
    }.get(way, ("", ""))
    sheet.operators.append(before)
    sheet.text(
        70,
        y,
        secret,
        size=0.5 if way == "tiny" else size,
        font=font,
        colour=colour,
        mode=3 if way == "render" else 0,
    )
    sheet.operators.append(after)
    if way in ("black", "cover"):
        fill = (0.0, 0.0, 0.0) if way == "black" else WHITE
        sheet.box(66, y - size - 3, 400, y + 6, fill=fill)
    if way == "layer":
        sheet.objects = ["<< /Type /OCG /Name (Draft) >>"]
        sheet.resources += " /Properties << /Off 2 0 R >>"
        sheet.catalog = "/OCProperties << /OCGs [2 0 R] /D << /OFF [2 0 R] /Order [2 0 R] >> >>"


def wrong_map(dice: random.Random) -> Case:
    """K04: one font's digits or letters mean others in its map."""
    sheet = Sheet()
    sheet.objects = [_stream(_shifting_map(dice.randrange(1, 9)))]
    sheet.fonts = {"Helvetica.wrong": f"{_ENCODING} /ToUnicode 2 0 R"}
    sheet.text(70, 80, "Yearly account of the reading circle", size=18)
    sentences = words.prose(dice, 4)
    y = sheet.paragraph(70, 110, 450, " ".join(sentences[:2]), size=11) + 16
    order = words.beginnings(sentences[:2])
    for name in dice.sample(words.GOODS, dice.randrange(3, 8)):
        amount = f"{dice.randrange(1, 9)},{dice.randrange(100, 999)}.{dice.randrange(10, 99)}"
        label = name.partition(",")[0]
        sheet.text(70, y, label, size=11)
        sheet.text(dice.choice([300, 300]), y, amount, size=11, font="Helvetica.wrong", anchor="r")
        order += [label, amount]
        y += 18
    sheet.paragraph(70, y + 20, 450, " ".join(sentences[2:]), size=11)
    return Case(sheet.pdf(), "pdf", [*order, *words.beginnings(sentences[2:])])


def _shifting_map(step: int) -> str:
    """A ToUnicode map in which each digit is the one `step` further."""
    pairs = "\n".join(f"<{48 + i:02x}> <{48 + (i + step) % 10:04x}>" for i in range(10))
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Wrong def\n"
        "/CMapType 2 def 1 begincodespacerange <00> <ff> endcodespacerange\n"
        "2 beginbfrange <20> <2f> <0020> <3a> <7e> <003a> endbfrange\n"
        f"10 beginbfchar\n{pairs}\nendbfchar endcmap CMapName currentdict /CMap defineresource pop "
        "end end"
    )


def _stream(data: str) -> str:
    return f"<< /Length {len(data)} >>\nstream\n{data}\nendstream"


def small_page(dice: random.Random) -> Case:
    """K12: a page of a few points with a picture of full resolution."""
    drawn, sentences = Sheet(420, 300), words.prose(dice, 4)
    drawn.paragraph(30, 50, 360, " ".join(sentences), size=12, font=dice.choice([SANS, SERIF]))
    width = dice.choice([60, 90, 140, 210])
    sheet = Sheet(width, width * 300 / 420)
    sheet.image = drawn.picture(dice.choice([180, 220])).convert("L")
    return Case(sheet.pdf(), "pdf", words.beginnings(sentences))


def over_scan(dice: random.Random) -> Case:
    """K20: a scanned page with one line of its own text."""
    drawn, sentences = Sheet(), words.prose(dice, 6)
    text, font = " ".join(sentences), dice.choice([SANS, SERIF])
    drawn.paragraph(70, 130, 440, text, size=12, font=font)
    sheet = Sheet()
    sheet.image = scanned(drawn.picture(150), dice).convert("L")
    stamp = f"Received {words.date(dice)} by mail room {dice.randrange(2, 9)}"
    at_top = dice.random() < 0.5
    sheet.text(70, 40 if at_top else 800, stamp, size=9)
    patterns = [f"RAW:{sentence}" for sentence in words.beginnings(sentences, 6)]
    return Case(sheet.pdf(), "pdf", [stamp], patterns=[*patterns, "RAW:" + _inside(sentences[2])])


def _inside(sentence: str) -> str:
    return sentence.replace(".", r"\.")


def elsewhere(dice: random.Random) -> Case:
    """K29: an XFA form's placeholder, or a portfolio's cover."""
    sheet = Sheet()
    if dice.random() < 0.5:
        lines = ("Please wait...", "If this page does not change, use another viewer.")
        sheet.objects = [_stream("<xdp:xdp xmlns:xdp='http://ns.adobe.com/xdp/'></xdp:xdp>")]
        sheet.catalog = "/AcroForm << /Fields [] /XFA 2 0 R >>"
        sheet.catalog += dice.choice(["", " /NeedsRendering true"])
    else:
        lines = ("This file is a collection.", "Open it in a viewer that shows collections.")
        name = dice.choice(["minutes.txt", "minutes.docx", "minutes.pdf", "minutes.csv"])
        sheet.objects = [
            _stream("minutes of the meeting").replace("<<", "<< /Type /EmbeddedFile"),
            f"<< /Type /Filespec /F ({name}) /UF ({name}) /EF << /F 2 0 R >> >>",
        ]
        sheet.catalog = (
            "/Collection << /Type /Collection >> "
            "/Names << /EmbeddedFiles << /Names [(minutes) 3 0 R] >> >>"
        )
    for place, line in enumerate(lines):
        sheet.text(80, dice.uniform(100, 120) + 30 * place, line, size=dice.choice([12, 14]))
    return Case(sheet.pdf(), "pdf", patterns=["FLAGS:."])
