"""Typeset pages that are then spoilt: blurred, noisy, small, faded, faxed. Each with its words.

The fonts are the PDF standard fonts that pdfium carries, so a page looks the same everywhere.
"""

from __future__ import annotations

import ctypes
import io
import random
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
"""(H, W) grey levels."""

_WORDS = {
    "en": (
        "the of and to in a is that for it was on are as with his they at be this from have or "
        "by one had not but what all were when we there can an your which their said if do will "
        "each about how up out them then she many some so these would other into has more her "
        "two like him see time could no make than first been its who now people my made over "
        "did down only way find use may water long little very after words called just where "
        "most know"
    ),
    "de": (
        "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch "
        "es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über "
        "einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei Straße "
        "können größer müssen Jahr Rechnung Betrag Überweisung Kündigung Gebühr fällig gemäß "
        "Vertrag Änderung"
    ),
    "fr": (
        "le de un être et à il avoir ne je son que se qui ce dans en du elle au pour pas vous "
        "par sur faire plus dire me on mon lui nous comme mais pouvoir avec tout y aller voir "
        "bien où sans tu ou leur homme si deux mari moi vouloir femme déjà après très même "
        "année société décembre réglé numéro payé montant reçu élève côté"
    ),
    "es": (
        "de la que el en y a los se del las un por con no una su para es al lo como más o pero "
        "sus le ha me si sin sobre este ya entre cuando todo esta ser son dos también fue había "
        "era muy años hasta desde está mi porque qué sólo han yo hay vez puede todos así nos ni "
        "parte tiene él uno donde bien tiempo mismo ese ahora señor año"
    ),
    "it": (
        "di che è la il un a per in una sono mi ho si lo ma ti ha le cosa i con no da non ci "
        "questo bene tu qui se hai sei del della io solo mio tutto te come lei più quando molto "
        "suo fatto essere anni perché così anche casa città società già può"
    ),
}
_NAMES = (
    "Miller Baker Schneider Garnier Rossi Ortega Novak Larsen Whitfield Hargreave Oakridge "
    "Lindqvist Moreau Castellano Petersen Brandt Acheson Kowalski Delacroix Fontaine Marlowe"
)
_FONTS = (
    "Helvetica",
    "Times-Roman",
    "Courier",
    "Helvetica-Bold",
    "Times-Bold",
    "Times-Italic",
    "Helvetica-Oblique",
)
_WIDTH, _HEIGHT = 595, 420
"""Points: the upper half of a page."""
_MARGIN = 44
_DPI = 150


@dataclass(frozen=True, slots=True)
class DegradedPage:
    """A picture, what is printed on it, and how it was spoilt."""

    kind: str
    picture: Grey
    text: str


def degraded_page(number: int) -> DegradedPage:
    """The page of that number; the same each time."""
    dice = random.Random(number)
    kind = KINDS[number % len(KINDS)]
    lines = _lines(dice)
    picture = _typeset(lines, dice.choice(_FONTS), dice.choice((8, 9, 10, 11, 12)))
    spoilt = _DEGRADATIONS[kind](picture, dice, np.random.default_rng(number))
    return DegradedPage(kind, spoilt, "\n".join(lines))


def _lines(dice: random.Random) -> list[str]:
    make = dice.choice((_prose, _prose, _prose, _items, _codes))
    words = _WORDS[dice.choice([*_WORDS])].split()
    return [make(dice, words) for _ in range(dice.randint(12, 18))]


def _prose(dice: random.Random, words: list[str]) -> str:
    line = [_prose_word(dice, words) for _ in range(dice.randint(5, 9))]
    return " ".join([line[0].capitalize(), *line[1:]]) + dice.choice(("", "", ".", ","))


def _prose_word(dice: random.Random, words: list[str]) -> str:
    chance = dice.random()
    if chance < 0.06:
        return dice.choice(_NAMES.split())
    return str(dice.randint(2, 2030)) if chance < 0.12 else dice.choice(words)


def _items(dice: random.Random, words: list[str]) -> str:
    name = " ".join(dice.choice(words) for _ in range(dice.randint(1, 3)))
    price = dice.choice(("{:,.2f}", "{:.2f} EUR", "${:.2f}")).format(10 ** dice.uniform(0, 4))
    return f"{dice.randint(1, 40)} x {name.capitalize()} {price}"


def _codes(dice: random.Random, words: list[str]) -> str:
    code = "".join(dice.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") for _ in range(8))
    day = f"{dice.randint(1, 28):02}.{dice.randint(1, 12):02}.{dice.randint(1990, 2030)}"
    name, number = dice.choice(_NAMES.split()), dice.randint(10**5, 10**8)
    return f"{name} {code} {day} {number} {dice.choice(words)}"


def _typeset(lines: list[str], font: str, size: int) -> Grey:
    """Black on white, at 150 dpi."""
    document = pdfium.PdfDocument.new()
    page = document.new_page(_WIDTH, _HEIGHT)
    loaded = raw.FPDFText_LoadStandardFont(document.raw, font.encode())
    for number, line in enumerate(lines):
        written = raw.FPDFPageObj_CreateTextObj(document.raw, loaded, size)
        encoded = (line + "\0").encode("utf-16-le")
        buffer = ctypes.create_string_buffer(encoded, len(encoded))
        raw.FPDFText_SetText(written, ctypes.cast(buffer, raw.FPDF_WIDESTRING))
        top = _HEIGHT - _MARGIN - size - number * 1.45 * size
        raw.FPDFPageObj_Transform(written, 1, 0, 0, 1, _MARGIN, top)
        raw.FPDFPage_InsertObject(page.raw, written)
    page.gen_content()
    saved = io.BytesIO()
    document.save(saved)
    picture = pdfium.PdfDocument(saved.getvalue())[0].render(scale=_DPI / 72).to_pil()
    return np.asarray(picture.convert("L"), np.uint8)


def _resized(picture: Grey, scale: float, interpolation: int = cv2.INTER_AREA) -> Grey:
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=interpolation))


def _clean(picture: Grey, dice: random.Random, noise: np.random.Generator) -> Grey:
    return picture


def _blurred(picture: Grey, dice: random.Random, noise: np.random.Generator) -> Grey:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), dice.uniform(1.0, 3.2)))


def _noisy(picture: Grey, dice: random.Random, noise: np.random.Generator) -> Grey:
    soft = cv2.GaussianBlur(picture, (0, 0), dice.uniform(0.5, 1.2)).astype(float)
    return _grey(soft + noise.normal(0, dice.uniform(15, 90), picture.shape))


def _small(picture: Grey, dice: random.Random, noise: np.random.Generator) -> Grey:
    return _resized(picture, dice.uniform(0.28, 0.6))


def _jpeg(picture: Grey, dice: random.Random, noise: np.random.Generator) -> Grey:
    small = _resized(picture, dice.uniform(0.4, 0.8))
    _, packed = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, dice.randint(4, 25)])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)


def _skewed(picture: Grey, dice: random.Random, noise: np.random.Generator) -> Grey:
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), dice.uniform(-5, 5), 0.9)
    turned = cv2.warpAffine(picture, turn, (width, height), borderValue=(255,))
    return _small(np.asarray(turned, np.uint8), dice, noise)


def _faded(picture: Grey, dice: random.Random, noise: np.random.Generator) -> Grey:
    pale = 255 - (255 - picture.astype(float)) * dice.uniform(0.06, 0.3)
    return _grey(pale + noise.normal(0, dice.uniform(4, 14), picture.shape))


def _fax(picture: Grey, dice: random.Random, noise: np.random.Generator) -> Grey:
    """Coarse black and white, with rows of half the resolution and specks."""
    scale = dice.uniform(0.5, 0.95)
    height, width = (round(side * scale) for side in picture.shape)
    coarse = cv2.resize(picture, (width, height // 2), interpolation=cv2.INTER_AREA).astype(float)
    coarse += noise.normal(0, dice.uniform(5, 45), coarse.shape)
    black = np.where(coarse > dice.uniform(110, 190), 255, 0).astype(np.uint8)
    return np.asarray(cv2.resize(black, (width, height), interpolation=cv2.INTER_NEAREST))


def _copied(picture: Grey, dice: random.Random, noise: np.random.Generator) -> Grey:
    """A copy of a copy: strokes grow or break."""
    shaped = _grey(_blurred(picture, dice, noise) + noise.normal(0, 20, picture.shape))
    threshold = dice.uniform(90, 225)
    return _resized(np.where(shaped > threshold, 255, 0).astype(np.uint8), dice.uniform(0.5, 1.0))


def _grey(levels: NDArray[np.float64]) -> Grey:
    return np.clip(levels, 0, 255).astype(np.uint8)


_DEGRADATIONS: dict[str, Callable[[Grey, random.Random, np.random.Generator], Grey]] = {
    "clean": _clean,
    "blur": _blurred,
    "noise": _noisy,
    "small": _small,
    "jpeg": _jpeg,
    "skew": _skewed,
    "faded": _faded,
    "fax": _fax,
    "copy": _copied,
}
KINDS = tuple(_DEGRADATIONS)
