"""Tesseract's line recognition, by the package `tesserocr`. The one module that imports it."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.scripts.installed import missing_reason
from dsocr.engines.ppocr.scripts.languages import Language

_MAX_LOADED = 4
"""Networks in memory. One takes 10 to 70 MB; a document has one or two languages."""
_BEST_CONFIDENCE = 95.0
"""What Tesseract gives clean print, of 100: taken as certain."""


_TYPED = {0x200E: None, 0x200F: None, 0xB5: "\u03bc"}
_SARA_AM = re.compile("\u0e4d([\u0e48-\u0e4b]?)\u0e32")
"""A Thai vowel as two characters."""


@dataclass(frozen=True, slots=True)
class Token:
    """What stands between two blanks of a line, in logical order."""

    text: str
    rect: Rect
    """In pixels of the line's picture."""
    score: float
    """0-1."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A line as one network reads it."""

    text: str
    """In logical order: a right-to-left line begins with its first word."""
    score: float
    """Mean confidence of its words weighted by their letters, 0-1."""
    tokens: tuple[Token, ...]
    """Empty where words and their places could not be matched."""


NOTHING = Reading("", 0.0, ())


class Tesseract:
    """The networks of the languages, each loaded when it is first needed. One line at a time."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[str, Any] = OrderedDict()
        self._used: list[str] = []
        self._is_installed = not missing_reason()

    def remember(self, language: Language) -> None:
        """Notes that a page is in this language: it is tried first on the next ones."""
        self._used = [model for model in self._used if model != language.model]
        self._used.append(language.model)

    def recent_first(self, languages: Sequence[Language]) -> list[Language]:
        """The languages, those of the last pages first; none where Tesseract is not installed."""
        if not self._is_installed:
            return []
        recent = list(reversed(self._used))
        order = {model: place for place, model in enumerate(recent)}
        return sorted(languages, key=lambda language: order.get(language.model, len(order)))

    def read(self, pixels: Pixels, language: Language) -> Reading:
        """The picture of one line. Raises `FileNotFoundError` without the language's network."""
        api = self._api(language)
        api.SetImage(Image.fromarray(np.ascontiguousarray(pixels)))
        text = _normalized(api.GetUTF8Text())
        pieces = _pieces(api)
        return Reading(text, _mean(pieces), tuple(_tokens(text, pieces, language)))

    def _api(self, language: Language) -> Any:
        api = self._loaded.pop(language.model, None)
        if api is None:
            api = _load(language)
        self._loaded[language.model] = api
        while len(self._loaded) > _MAX_LOADED:
            self._loaded.popitem(last=False)[1].End()
        return api


def _normalized(text: str) -> str:
    """The text without direction marks, with letters as they are typed in Greek and Thai."""
    text = text.translate(_TYPED)
    return " ".join(_SARA_AM.sub("\\1\u0e33", text).split())


def _load(language: Language) -> Any:
    """The network, by Tesseract's LSTM alone and for one raw line."""
    if not language.path.is_file():
        raise FileNotFoundError(language.path.name)
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # more threads make one line slower
    import tesserocr

    return tesserocr.PyTessBaseAPI(
        path=str(language.path.parent),
        lang=language.model,
        psm=tesserocr.PSM.RAW_LINE,
        oem=tesserocr.OEM.LSTM_ONLY,
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a word: Tesseract divides Korean and Thai words into syllables."""

    length: int
    rect: Rect
    confidence: float
    after_blank: bool


def _pieces(api: Any) -> list[_Piece]:
    import tesserocr

    level = tesserocr.RIL.WORD
    iterator = api.GetIterator()
    if iterator is None:
        return []
    return [
        _Piece(
            max(1, len(word.GetUTF8Text(level).strip())),
            Rect(*word.BoundingBox(level)),
            float(word.Confidence(level)),
            bool(word.BlanksBeforeWord()),
        )
        for word in tesserocr.iterate_level(iterator, level)
        if word.BoundingBox(level) is not None
    ]


def _mean(pieces: Sequence[_Piece]) -> float:
    weight = sum(piece.length for piece in pieces)
    total = sum(piece.length * piece.confidence for piece in pieces)
    return min(1.0, total / weight / _BEST_CONFIDENCE) if weight else 0.0


def _tokens(text: str, pieces: Sequence[_Piece], language: Language) -> list[Token]:
    """The words of the text with their places; none where their numbers differ."""
    groups: list[list[_Piece]] = []
    joins = True
    for piece in pieces:
        # In right-to-left lines a piece says whether a blank is on its left, which is after it.
        begins = joins if language.script in ("ARABIC", "HEBREW") else piece.after_blank
        if begins or not groups:
            groups.append([piece])
        else:
            groups[-1].append(piece)
        joins = piece.after_blank
    words = text.split()
    if len(words) != len(groups):
        return []
    return [
        Token(word, _around(group), _mean(group)) for word, group in zip(words, groups, strict=True)
    ]


def _around(pieces: Sequence[_Piece]) -> Rect:
    rect = pieces[0].rect
    for piece in pieces[1:]:
        rect = rect.union(piece.rect)
    return rect
